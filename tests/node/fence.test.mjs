// Two clusters on one directory, whose lock was stolen: the later one wins, and nothing that was answered is lost.

import assert from "node:assert/strict";
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  cpSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { Worker } from "node:worker_threads";
import { converged, event, failure, open, picture, scratch, until } from "./help.mjs";

/** What a lock guards is no longer guarded. */
function stealLock(directory) {
  const locks = readdirSync(directory).filter((name) => name.startsWith("lock-"));
  assert.equal(locks.length, 1);
  for (const name of locks) rmSync(join(directory, name));
}

const reasons = (cluster) => cluster.nodes.map(({ reason }) => reason?.code);

/** Two of three have halted. The third has nothing left to write, and finds out a little later. */
const hasNoMajority = (cluster) =>
  reasons(cluster).filter((code) => code === "STORAGE_FENCED").length >= 2;

const segments = (directory, node) =>
  readdirSync(join(directory, `node-${node}`))
    .sort()
    .map((name) => join(directory, `node-${node}`, name));

test("after a stolen lock the first cluster halts at its next write, of which nothing stays", async (t) => {
  const directory = scratch(t);
  const options = { storage: "directory", directory };
  const first = await open(t, options);
  for (let at = 0; at < 10; at++) await first.kv.put(`k${at}`, at);
  stealLock(directory);
  const halted = event(first, "halted");
  const second = await open(t, options);
  assert.equal(second.id, first.id);
  await second.kv.put("k0", "the second's");

  await failure(first.kv.put("k1", "too late", { timeout: 2_000 }), "NO_QUORUM");
  const { node, reason } = await halted;
  assert.deepEqual([reason.code, reason.node, reason.retryable], ["STORAGE_FENCED", node, false]);
  assert.match(reason.place, new RegExp(`node-${node}$`));
  await until(() => hasNoMajority(first), "the first writes no more");
  const status = await failure(first.node(node).status(), "NODE_HALTED");
  assert.equal(status.cause.code, "STORAGE_FENCED");

  await second.kv.put("k2", "the second's, too");
  assert.deepEqual(reasons(second), [undefined, undefined, undefined]);
  await first.close();
  await second.close();
  const third = await open(t, options);
  const values = await Promise.all([0, 1, 2, 3, 9].map((at) => third.kv.get(`k${at}`)));
  assert.deepEqual(
    values.map(({ value }) => value),
    ["the second's", 1, "the second's, too", 3, 9],
  );
});

test("a round that is appended after the second cluster has read everything is not answered", async (t) => {
  const directory = scratch(t);
  const options = { storage: "directory", directory, nodes: 1 };
  const gate = new Int32Array(new SharedArrayBuffer(8));
  const createWorker = () =>
    new Worker(new URL("held-worker.mjs", import.meta.url), { workerData: gate });
  // Long enough for a write that is held up: a leader whose write stalls for this long steps down.
  const first = await open(t, { ...options, createWorker, timeouts: { election: 4_000 } });
  await first.kv.put("k", "answered");
  Atomics.store(gate, 0, 1);
  const late = failure(first.kv.put("k", "late", { timeout: 5_000 }), "NO_QUORUM");
  await until(() => Atomics.load(gate, 1) === 1, "an append waits");
  stealLock(directory);
  const second = await open(t, options);
  assert.equal((await second.kv.get("k")).value, "answered");
  Atomics.store(gate, 0, 0);
  assert.equal((await late).outcome, "unknown");
  assert.deepEqual(reasons(first), ["STORAGE_FENCED"]);
  await second.kv.put("l", 1);
  await first.close();
  await second.close();
  const third = await open(t, options);
  assert.equal((await third.kv.get("k")).value, "answered");
  assert.equal((await third.kv.get("l")).value, 1);
});

test("what the first cluster answered while the second one opened is there", async (t) => {
  for (let round = 0; round < 3; round++) {
    const directory = scratch(t);
    const options = { storage: "directory", directory };
    const first = await open(t, options);
    await first.kv.put("k0", 0);
    const answered = [0];
    (async () => {
      for (let at = 1; ; at++) {
        await first.kv.put(`k${at}`, at);
        answered.push(at);
      }
    })().catch(() => {});
    await until(() => answered.length > 20 * (round + 1), "the first writes");
    stealLock(directory);
    const second = await open(t, options);
    await until(() => hasNoMajority(first), "the first writes no more");
    await second.kv.put("mine", 1);
    for (const at of answered) assert.equal((await second.kv.get(`k${at}`))?.value, at);
    await picture(second, converged);
    await first.close();
    await second.close();
    const third = await open(t, options);
    for (const at of answered) assert.equal((await third.kv.get(`k${at}`))?.value, at);
    await picture(third, converged);
    await third.close();
  }
});

test("one that read less than the next opener did, and wrote nothing yet, writes to nowhere", async (t) => {
  const [directory, other] = [scratch(t), scratch(t)];
  const options = { storage: "directory", nodes: 1 };
  const first = await open(t, { ...options, directory });
  // More than is carried over at once.
  for (let at = 0; at < 3; at++) await first.kv.put(`large ${at}`, "x".repeat(700_000));
  await first.kv.put("k", 1);
  cpSync(directory, other, { recursive: true });
  await first.kv.put("k", 2);
  await first.close();
  // What it would begin its segment with, had it read no more than this.
  stealLock(other);
  const reader = await open(t, { ...options, directory: other });
  await reader.kv.put("x", 1);
  await reader.close();
  const late = readFileSync(segments(other, 1).at(-1));
  const number = segments(directory, 1).length + 1;
  const next = `segment-${String(number).padStart(12, "0")}.qr`;
  const file = openSync(join(directory, "node-1", next), "ax");

  const second = await open(t, { ...options, directory });
  assert.equal((await second.kv.get("k")).value, 2);
  await second.kv.put("l", 1);
  writeSync(file, late);
  closeSync(file);
  await second.close();
  const third = await open(t, { ...options, directory });
  assert.equal((await third.kv.get("k")).value, 2);
  assert.equal((await third.kv.get("l")).value, 1);
  assert.equal(await third.kv.get("x"), null);
});

test("a cluster to which nobody writes finds out as well, soon", async (t) => {
  const directory = scratch(t);
  const options = { storage: "directory", directory };
  const first = await open(t, options);
  await first.kv.put("k", 1);
  stealLock(directory);
  await open(t, options);
  const fenced = ["STORAGE_FENCED", "STORAGE_FENCED", "STORAGE_FENCED"].join();
  await until(() => reasons(first).join() === fenced, "all of the first have halted");
});

test("a node that is started again takes its storage back", async (t) => {
  const directory = scratch(t);
  const options = { storage: "directory", directory, nodes: 1 };
  const first = await open(t, options);
  await first.kv.put("k", 1);
  stealLock(directory);
  const second = await open(t, options);
  await second.kv.put("k", 2);
  await failure(first.kv.put("k", 3, { timeout: 500 }), "NO_QUORUM");
  await first.node(1).start();
  assert.equal((await first.kv.get("k")).value, 2);
  await first.kv.put("k", 4);
  await failure(second.kv.put("k", 5, { timeout: 500 }), "NO_QUORUM");
  assert.deepEqual([...reasons(first), ...reasons(second)], [undefined, "STORAGE_FENCED"]);
});

test("rounds that a fenced writer appended late are not taken for rounds of its successor", async (t) => {
  const directory = scratch(t);
  const options = { storage: "directory", directory };
  const first = await open(t, options);
  for (let at = 0; at < 10; at++) await first.kv.put(`k${at}`, at);
  await picture(first, converged);
  await first.close();
  const before = [1, 2, 3].map((node) => {
    const [file, ...others] = segments(directory, node);
    assert.deepEqual(others, []);
    const copy = join(directory, `copy-${node}`);
    copyFileSync(file, copy);
    return { node, file, copy };
  });
  const second = await open(t, options);
  await second.kv.put("k3", "new");
  await picture(second, converged);
  await second.close();
  for (const { node, file, copy } of before) {
    const [next, ...others] = segments(directory, node);
    assert.deepEqual(others, [], "the earlier segment is gone");
    // A round of the same number as the next segment's first one, and another one that is cut off.
    const bytes = readFileSync(next);
    const stray = bytes.subarray(0, 16 + bytes.readUInt32LE(4));
    copyFileSync(copy, file);
    appendFileSync(file, stray);
    appendFileSync(file, stray.subarray(0, 20));
  }
  const third = await open(t, options);
  assert.deepEqual(reasons(third), [undefined, undefined, undefined]);
  const values = await Promise.all([0, 3, 9].map((at) => third.kv.get(`k${at}`)));
  assert.deepEqual(
    values.map(({ value }) => value),
    [0, "new", 9],
  );
});

test("a node whose files are removed while it runs halts, and begins again by itself", async (t) => {
  const directory = scratch(t);
  const cluster = await open(t, { storage: "directory", directory });
  await cluster.kv.put("k", 1);
  const victim = (await cluster.leader()) === 3 ? 2 : 3;
  const halted = event(cluster, "halted");
  rmSync(join(directory, `node-${victim}`), { recursive: true });
  await cluster.kv.put("k", 2);
  const { node, reason } = await halted;
  assert.deepEqual([node, reason.code], [victim, "STORAGE_LOST"]);
  const isBack = () => cluster.members.list().every(({ voter }) => voter);
  await event(cluster, "amnesia", (detail) => detail.node === victim);
  await until(isBack, "it has its vote back");
  assert.equal((await cluster.kv.get("k")).value, 2);
});
