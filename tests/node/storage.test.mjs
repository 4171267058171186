// State on disk: the lock, damage of every kind, and storages of a user's own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  watch,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import test from "node:test";
import { Cluster, StorageError } from "quorate";
import { converged, event, failure, open, picture, scratch, until } from "./help.mjs";

const segments = (directory, node) =>
  readdirSync(join(directory, `node-${node}`))
    .filter((name) => name.startsWith("segment-"))
    .sort()
    .map((name) => join(directory, `node-${node}`, name));

/** A directory with some state in it, not in use. */
async function written(t, writes = 20) {
  const directory = scratch(t);
  const cluster = await open(t, { storage: "directory", directory });
  for (let at = 0; at < writes; at++) await cluster.kv.put(`k${at}`, at);
  await picture(cluster, converged);
  await cluster.close();
  return directory;
}

test("a second cluster on the same directory is refused", async (t) => {
  const directory = scratch(t);
  const first = await open(t, { storage: "directory", directory });
  const error = await failure(open(t, { storage: "directory", directory }), "STORAGE_LOCKED");
  assert.ok(error instanceof StorageError && error.retryable);
  assert.match(error.message, /in use by another cluster in this process/);
  await first.kv.put("k", "the first is unharmed");
  await first.close();
  const second = await open(t, { storage: "directory", directory });
  assert.equal((await second.kv.get("k")).value, "the first is unharmed");
});

test("of many that open at once, one gets the directory", async (t) => {
  const directory = scratch(t);
  const tries = await Promise.allSettled(
    Array.from({ length: 5 }, () => open(t, { storage: "directory", directory, nodes: 1 })),
  );
  assert.equal(tries.filter(({ status }) => status === "fulfilled").length, 1);
  for (const { reason } of tries.filter(({ status }) => status === "rejected"))
    assert.equal(reason.code, "STORAGE_LOCKED");
});

test("another process is refused while this one lives, and welcome after its sudden end", async (t) => {
  const directory = scratch(t);
  const code = `
    import { Cluster } from "quorate";
    const cluster = await Cluster.open({ name: "test", directory: ${JSON.stringify(directory)} });
    await cluster.kv.put("k", "acknowledged");
    console.log("ready");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const error = await failure(open(t, { storage: "directory", directory }), "STORAGE_LOCKED");
  assert.match(error.message, new RegExp(`process ${child.pid}`));
  child.kill("SIGKILL");
  await once(child, "exit");
  const cluster = await open(t, { storage: "directory", directory });
  assert.equal((await cluster.kv.get("k")).value, "acknowledged");
});

test("locks left by the dead, the nameless and other machines", async (t) => {
  for (const [text, held] of [
    ["", false],
    ["free", false],
    ['{"pid":', false],
    [JSON.stringify({ host: "elsewhere", pid: 1, started: "1" }), true],
    [
      JSON.stringify({ host: (await import("node:os")).hostname(), pid: 2 ** 30, started: "1" }),
      false,
    ],
    [
      JSON.stringify({
        host: (await import("node:os")).hostname(),
        pid: process.pid,
        started: "1",
      }),
      false,
    ],
  ]) {
    const directory = scratch(t);
    writeFileSync(join(directory, "lock-7"), text);
    const opening = Cluster.open({ name: "test", directory, nodes: 1 });
    if (held) {
      assert.match((await failure(opening, "STORAGE_LOCKED")).message, /elsewhere/);
    } else {
      await (await opening).close();
      assert.deepEqual(
        readdirSync(directory).filter((name) => name.startsWith("lock")),
        ["lock-8"],
      );
    }
  }
});

test("a directory that cannot be made is told", async (t) => {
  const directory = scratch(t);
  writeFileSync(join(directory, "file"), "");
  // The last one exists, but can have no directories in it, and says that it does not exist.
  for (const path of [
    join(directory, "file", "below"),
    join(directory, "file"),
    "/proc/none/below",
  ]) {
    await failure(open(t, { storage: "directory", directory: path }), "STORAGE_UNAVAILABLE");
  }
});

test("storage of a cluster of another name is refused; its size is its own", async (t) => {
  const directory = await written(t);
  for (const nodes of [1, 5]) {
    const other = await open(t, { storage: "directory", directory, nodes });
    assert.equal((await other.kv.get("k7")).value, 7);
    await until(() => other.nodes.map(({ id }) => id).join() === "1,2,3", "it has its members");
    assert.equal(other.origin, "restored");
    await other.close();
  }
  await failure(open(t, { storage: "directory", directory, name: "other" }), "STORAGE_FOREIGN");
  const cluster = await open(t, { storage: "directory", directory });
  assert.equal((await cluster.kv.get("k7")).value, 7);
});

test("an append that was cut off is dropped, and appending goes on", async (t) => {
  const directory = await written(t);
  for (const node of [1, 2, 3]) {
    const last = segments(directory, node).at(-1);
    // The beginning of a real record, as a power cut leaves it.
    appendFileSync(last, readFileSync(last).subarray(0, 25));
  }
  for (let round = 0; round < 2; round++) {
    const cluster = await open(t, { storage: "directory", directory });
    assert.equal((await cluster.kv.get("k19")).value, 19);
    await cluster.kv.put(`again/${round}`, round);
    assert.equal((await cluster.kv.range({ prefix: "again/" })).count, round + 1);
    await cluster.close();
  }
});

test("a bit that changed stops the node with file and offset, and the others go on", async (t) => {
  const directory = await written(t);
  const file = segments(directory, 2)[0];
  const bytes = readFileSync(file);
  const at = Math.floor(bytes.length / 2);
  bytes[at] ^= 0x10;
  writeFileSync(file, bytes);

  const cluster = await open(t, { storage: "directory", directory });
  const node = cluster.node(2);
  assert.equal(node.state, "halted");
  assert.equal(node.reason.code, "STORAGE_CORRUPT");
  assert.match(node.reason.place, /node-2\/segment-\d+\.qr@\d+$/);
  assert.ok(Number(node.reason.place.split("@")[1]) <= at);
  assert.equal((await failure(node.status(), "NODE_HALTED")).cause.code, "STORAGE_CORRUPT");
  assert.equal((await cluster.status()).nodes[1].reason.code, "STORAGE_CORRUPT");
  assert.equal((await cluster.kv.get("k7")).value, 7);
  await cluster.kv.put("k7", "more");

  const halted = event(cluster, "halted", (detail) => detail.node === 2);
  await failure(node.start(), "STORAGE_CORRUPT");
  assert.equal((await halted).reason.code, "STORAGE_CORRUPT");

  bytes[at] ^= 0x10;
  writeFileSync(file, bytes);
  await node.start();
  await picture(cluster, converged);
});

test("damage on a majority fails the opening, and changes nothing", async (t) => {
  const directory = await written(t);
  const before = [1, 2].map((node) => {
    const file = segments(directory, node)[0];
    const bytes = readFileSync(file);
    const broken = Uint8Array.from(bytes);
    broken[100] ^= 1;
    writeFileSync(file, broken);
    return { file, bytes, broken };
  });
  await failure(open(t, { storage: "directory", directory }), "STORAGE_CORRUPT");
  for (const { file, bytes, broken } of before) {
    assert.deepEqual(Uint8Array.from(readFileSync(file)), broken, "evidence is kept");
    writeFileSync(file, bytes);
  }
  const cluster = await open(t, { storage: "directory", directory });
  assert.equal((await cluster.kv.get("k7")).value, 7);
});

test("a record of a later version is told from damage", async (t) => {
  const directory = await written(t);
  const file = segments(directory, 3)[0];
  const bytes = readFileSync(file);
  // Magic "QR", then the format's version.
  assert.equal(bytes.subarray(0, 2).toString(), "QR");
  bytes[2] = 0x7f;
  writeFileSync(file, bytes);
  const cluster = await open(t, { storage: "directory", directory });
  assert.ok(["STORAGE_VERSION", "STORAGE_CORRUPT"].includes(cluster.node(3).reason.code));
});

test("many writes leave few segments; a missing or cut one is damage", async (t) => {
  const directory = scratch(t);
  const options = { storage: "directory", directory, deadline: 60_000 };
  let cluster = await open(t, options);
  await cluster.kv.retain({ bytes: 1 << 20 });
  const value = "x".repeat(60_000);
  for (let round = 0; round < 30; round++) {
    await Promise.all(
      Array.from({ length: 32 }, (_, at) => cluster.kv.put(`k${at}`, `${round} ${value}`)),
    );
  }
  const { nodes } = await picture(cluster, converged);
  await cluster.close();
  for (const { id, status } of nodes) {
    assert.ok(status.storage.bytes > 50e6, `${status.storage.bytes} bytes were written`);
    const kept = segments(directory, id);
    const size = kept.reduce((sum, file) => sum + statSync(file).size, 0);
    assert.ok(size < 40e6, `${size} bytes are kept in ${kept.length} segments`);
    assert.doesNotMatch(kept[0], /segment-0*1\.qr$/);
  }

  cluster = await open(t, options);
  assert.equal((await cluster.kv.get("k31")).value.slice(0, 3), "29 ");
  await cluster.close();

  const [first, second] = segments(directory, 1);
  assert.ok(second !== undefined);
  const [one, two] = [readFileSync(first), readFileSync(second)];
  const reason = async () => {
    const damaged = await open(t, options);
    const { reason } = damaged.node(1);
    assert.equal((await damaged.kv.get("k3")).value.slice(0, 3), "29 ");
    await damaged.close();
    return reason;
  };
  rmSync(first);
  assert.match((await reason()).message, /missing/);
  writeFileSync(first, one);
  truncateSync(first, one.length - 7);
  assert.match((await reason()).place, /segment-\d+\.qr@\d+$/);
  writeFileSync(first, one);
  if (segments(directory, 1).length > 2) {
    rmSync(second);
    assert.match((await reason()).message, /missing/);
    writeFileSync(second, two);
  }
  cluster = await open(t, options);
  await picture(cluster, converged);
});

test("what a large snapshot replaced is removed a few segments at a time", async (t) => {
  const directory = scratch(t);
  const cluster = await open(t, { storage: "directory", directory, nodes: 1, deadline: 60_000 });
  // In the order in which it happened: a segment comes, and the oldest go.
  const seen = new Set();
  const runs = [0];
  const watcher = watch(join(directory, "node-1"), (type, name) => {
    if (type !== "rename") return;
    if (seen.delete(name)) runs[runs.length - 1] += 1;
    else if (seen.add(name)) runs.push(0);
  });
  for (const file of segments(directory, 1)) seen.add(basename(file));
  const kv = cluster.kv.as("bytes");
  const value = new Uint8Array(1 << 20);
  const removed = () => runs.reduce((sum, run) => sum + run, 0);
  for (let at = 0; at < 300 && removed() < 30; at++) await kv.put(`k${at % 48}`, value);
  watcher.close();
  await cluster.close();
  assert.ok(removed() >= 30, `${removed()} segments were removed`);
  assert.ok(Math.max(...runs) <= 4, `${runs} were removed between one segment and the next`);
});

test("a storage of one's own that fails halts its node, and the cluster goes on", async (t) => {
  const failing = new Set();
  const stores = new Map();
  const storage = (cluster, node) => {
    assert.equal(cluster, "test");
    const records = stores.get(node) ?? new Map();
    stores.set(node, records);
    let open = true;
    return {
      load: async () => [...records],
      write: async (deletes, puts) => {
        assert.ok(open, "no call after close");
        if (failing.has(node)) throw new Error("the disk is on fire");
        for (const [first, end] of deletes) {
          for (const key of [...records.keys()]) if (first <= key && key < end) records.delete(key);
        }
        for (const [key, value] of puts) records.set(key, value);
      },
      close: async () => {
        open = false;
      },
    };
  };
  const cluster = await open(t, { storage });
  await cluster.kv.put("k", 1);
  const leader = await cluster.leader();
  const halted = event(cluster, "halted");
  failing.add(leader);
  await cluster.kv.put("k", 2);
  const { node, reason } = await halted;
  assert.deepEqual([node, reason.code], [leader, "STORAGE_WRITE_FAILED"]);
  assert.match(reason.message, /on fire/);
  assert.equal((await cluster.kv.get("k")).value, 2);
  failing.clear();
  await cluster.node(leader).start();
  await picture(cluster, converged);
});

test("a storage of one's own that cannot be made, loaded or understood is told", async (t) => {
  const none = { load: async () => [], write: async () => {}, close: async () => {} };
  for (const [storage, code] of [
    [
      () => {
        throw new Error("no disk");
      },
      "WORKER_FAILED",
    ],
    [
      () => ({
        ...none,
        load: async () => {
          throw new Error("unreadable");
        },
      }),
      "STORAGE_READ_FAILED",
    ],
    [
      () => ({ ...none, load: async () => [["ident", new Uint8Array([1, 2, 3])]] }),
      "STORAGE_CORRUPT",
    ],
    [() => ({ ...none, load: async () => [["who/knows", new Uint8Array(64)]] }), "STORAGE_CORRUPT"],
  ]) {
    await failure(open(t, { storage }), code);
  }
});

test("nothing is written where nothing was asked", async (t) => {
  const cwd = process.cwd();
  const directory = scratch(t);
  process.chdir(directory);
  try {
    await failure(Cluster.open({ name: "bad name" }), "INVALID_OPTION");
    assert.equal(existsSync(".quorate"), false);
    const cluster = await Cluster.open({ name: "shop", nodes: 1 });
    await cluster.close();
    assert.deepEqual(readdirSync(".quorate/shop").sort(), ["cluster-id", "lock-1", "node-1"]);
  } finally {
    process.chdir(cwd);
  }
});
