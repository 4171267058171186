// Backups on the command line, and the look at a cluster's own files.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { bundle } from "../bundle.mjs";
import { until } from "../node/help.mjs";
import { said, scratch, shell, start } from "./help.mjs";

const { format } = await bundle({ format: "backup/format.ts" });

/** A cluster of three in `d`, with something in it. */
async function filled(t) {
  const cwd = scratch(t);
  const q = shell(cwd);
  const { code, stderr } = await q(
    "cluster --dir d --name shop",
    "lease grant 1h\nput a 1\nput held x --lease 1\nput b two\n",
  );
  assert.equal(code, 0, stderr);
  return { cwd, q, at: (...path) => join(cwd, "d", ...path) };
}

test("a cluster goes to a file, and a file to a cluster", async (t) => {
  const { cwd, q } = await filled(t);
  writeFileSync(join(cwd, "f"), "an older one");
  const saved = await q("snapshot save f --dir d --json");
  assert.equal(saved.code, 0, saved.stderr);
  const [{ time, clusterId, bytes, ...summary }] = saved.objects;
  assert.deepEqual(summary, { file: "f", cluster: "shop", revision: 3, keys: 3, leases: 1 });
  assert.equal(statSync(join(cwd, "f")).size, bytes);
  assert.deepEqual(readdirSync(cwd).sort(), ["d", "f"], "nothing else is left");
  const inspected = await q("snapshot inspect f --json");
  assert.deepEqual(inspected.objects, [{ ...saved.objects[0], intact: true }]);
  assert.match(
    (await q("snapshot inspect f")).stdout,
    /^f: cluster shop .* revision 3, .*3 keys, 1 lease, \d+ bytes; intact\n$/,
  );

  const restored = await q("snapshot restore f --dir new --nodes 1");
  assert.deepEqual([restored.code, restored.stdout.startsWith("shop in ")], [0, true]);
  assert.equal((await q("range --dir new")).stdout, "a 1\nb two\nheld x\n");
  assert.deepEqual((await q("lease status 1 --dir new --json")).objects[0].keys, [{ key: "held" }]);
  assert.equal((await q("storage check new")).code, 0);

  const refused = await q("snapshot restore f --dir new");
  assert.deepEqual([refused.code, /^STORE_NOT_EMPTY: .*shop/.test(refused.stderr)], [1, true]);
  await q("put a mine --dir new");
  await q("put c mine --dir new");
  assert.equal((await q("snapshot restore f --dir new --overwrite")).code, 0);
  assert.equal((await q("range --dir new")).stdout, "a 1\nb two\nc mine\nheld x\n");

  const piped = await q("snapshot save - --dir d");
  assert.match(piped.stdout, /^QUORATE/);
});

test("a file that is cut, altered or missing founds nothing", async (t) => {
  const { cwd, q } = await filled(t);
  await q("snapshot save f --dir d");
  const whole = readFileSync(join(cwd, "f"));
  const altered = Buffer.from(whole);
  altered[60] ^= 1;
  for (const [content, told] of [
    [whole.subarray(0, 60), /cut off .* byte 60/],
    [altered, /damaged at byte \d+: the checksum/],
    [Buffer.from("a text"), /^BACKUP_CORRUPT: /],
  ]) {
    writeFileSync(join(cwd, "g"), content);
    for (const line of ["snapshot inspect g", "snapshot restore g --dir new"]) {
      const { code, stdout, stderr } = await q(line);
      assert.match(stderr, told);
      assert.deepEqual([code, stdout], [5, ""]);
    }
  }
  const missing = await q("snapshot restore nowhere --dir new");
  assert.deepEqual([missing.code, /^BACKUP_READ_FAILED: /.test(missing.stderr)], [1, true]);
  const unwritable = await q("snapshot save no/such/place --dir d");
  assert.deepEqual([unwritable.code, /^STORAGE_WRITE_FAILED: /.test(unwritable.stderr)], [1, true]);
  assert.deepEqual(readdirSync(cwd).sort(), ["d", "f", "g"]);
});

test("what a file says of itself does nothing to a terminal", async (t) => {
  const cwd = scratch(t);
  const q = shell(cwd);
  const writer = new format.BackupWriter();
  const header = { cluster: "\x1b[2Jshop\x9b", clusterId: "1\n2", revision: 1, keys: 0 };
  const parts = [
    { type: "header", ...header, time: Number.MAX_SAFE_INTEGER },
    { type: "end", keys: 0, leases: 0 },
  ];
  writeFileSync(join(cwd, "f"), Buffer.concat(parts.map((part) => writer.chunk(part))));
  const { code, stdout } = await q("snapshot inspect f");
  assert.equal(code, 0);
  assert.ok(stdout.startsWith('f: cluster "\\u001b[2Jshop\\u009b" ("1\\n2") as of'), stdout);
  const json = await q("snapshot inspect f --json");
  assert.equal(json.objects[0].cluster, header.cluster);
  const refused = await q("snapshot restore f --dir new");
  assert.notEqual(refused.code, 0);
  for (const text of [stdout, json.stdout, refused.stderr])
    assert.doesNotMatch(text.trimEnd(), /\p{Cc}/u);
});

test("a restore that ends half-way has an unknown outcome", async (t) => {
  const { cwd, q } = await filled(t);
  await q("put large --dir d", "x".repeat(20_000));
  await q("snapshot save f --dir d");
  const whole = readFileSync(join(cwd, "f"));
  const pipe = join(cwd, "pipe");
  execFileSync("mkfifo", [pipe]);
  const restoring = start(["snapshot", "restore", "pipe", "--dir", "new", "--nodes", "1"], { cwd });
  writeFileSync(pipe, whole);
  // It is read once to be verified, and once more where there is a cluster to fill.
  const storage = join(cwd, "new", "node-1");
  await until(() => existsSync(storage), "a cluster is founded");
  const second = await open(pipe, "w");
  // All but the last chunk, which the import waits for.
  await second.writeFile(whole.subarray(0, -11));
  const written = () =>
    readdirSync(storage).reduce((sum, name) => sum + statSync(join(storage, name)).size, 0);
  await until(() => written() > 20_000, "keys are written");
  restoring.child.kill("SIGINT");
  await said(restoring, /ABORTED/);
  await second.close();
  const { code, stderr } = await restoring.ended;
  assert.match(stderr, /^ABORTED: .*; part of the backup was imported before\n$/);
  assert.equal(code, 4);
});

/** Names and contents below a folder. */
function contents(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort()
    .map((name) => [name, readFileSync(join(folder, name), "base64")]);
}

test("a check reads every node, and changes nothing", async (t) => {
  const { q, at } = await filled(t);
  const before = contents(at());
  const { code, objects } = await q("storage check d --json");
  assert.equal(code, 0);
  assert.deepEqual(
    objects.map(({ node, damage, torn, segments }) => [node, damage, torn, segments]),
    [1, 2, 3].map((node) => [node, [], [], 1]),
  );
  for (const { state } of objects)
    assert.deepEqual([state.cluster, state.members], ["shop", [1, 2, 3]]);
  // What was acknowledged is on a majority; the third may have been slower than the end.
  const whole = objects.filter(
    ({ records, state }) => records > 3 && state.last >= 4 && state.term >= 1,
  );
  assert.ok(whole.length >= 2, JSON.stringify(objects));
  assert.deepEqual(contents(at()), before);
  assert.match((await q("storage check --dir d")).stdout, /^node 1: sound; 1 segment, \d+ rounds/);
  assert.equal((await q("storage check nowhere")).code, 1);
});

test("damage is told with its place, whatever else there is", async (t) => {
  const { q, at } = await filled(t);
  const intact = scratch(t);
  cpSync(at(), intact, { recursive: true });
  const restore = () => {
    rmSync(at(), { recursive: true });
    cpSync(intact, at(), { recursive: true });
  };
  const [name] = readdirSync(at("node-2"));
  const segment = at("node-2", name);
  const size = statSync(segment).size;
  const check = async (code, place) => {
    const { objects, code: exit } = await q("storage check d --json");
    assert.equal(exit, 5);
    const damaged = objects.filter(({ damage }) => damage.length > 0);
    assert.deepEqual(
      damaged.map(({ node, damage }) => [node, damage.map((each) => each.code)]),
      [[2, [code]]],
    );
    const [{ place: where, message }] = damaged[0].damage;
    assert.ok(where.startsWith(place), `${where}: ${message}`);
    restore();
  };

  for (let at = 0; at < size; at += Math.ceil(size / 8)) {
    const bytes = readFileSync(segment);
    bytes[at] ^= 0x10;
    writeFileSync(segment, bytes);
    await check(at === 2 ? "STORAGE_VERSION" : "STORAGE_CORRUPT", `${segment}@`);
  }
  // Each record intact, and one of them gone: sixteen bytes around as many as it says.
  const records = readFileSync(segment);
  const second = 16 + records.readUInt32LE(4);
  const third = second + 16 + records.readUInt32LE(second + 4);
  writeFileSync(segment, Buffer.concat([records.subarray(0, second), records.subarray(third)]));
  await check("STORAGE_CORRUPT", segment);
  renameSync(segment, segment.replace(/1\.qr$/, "2.qr"));
  await check("STORAGE_CORRUPT", at("node-2", "segment-000000000001.qr"));
  rmSync(at("node-2"), { recursive: true });
  await check("STORAGE_LOST", at("node-2"));
  rmSync(at("node-2"), { recursive: true });
  cpSync(at("node-1"), at("node-2"), { recursive: true });
  await check("STORAGE_FOREIGN", at("node-2"));
  await q("init --dir other --name shop");
  rmSync(at("node-2"), { recursive: true });
  cpSync(at("..", "other", "node-2"), at("node-2"), { recursive: true });
  await check("STORAGE_FOREIGN", at("node-2"));

  // An append that was cut off was never acknowledged.
  truncateSync(segment, size - 1);
  const torn = await q("storage check d --json");
  assert.equal(torn.code, 0);
  assert.match(torn.objects[1].torn[0], /\.qr@\d+$/);
});

test("a damaged node keeps nobody from the others", async (t) => {
  const { q, at } = await filled(t);
  const [name] = readdirSync(at("node-1"));
  const bytes = readFileSync(at("node-1", name));
  bytes[40] ^= 1;
  writeFileSync(at("node-1", name), bytes);
  assert.equal((await q("get b --dir d")).stdout, "two\n");
  const [{ nodes }] = (await q("status --dir d --json")).objects;
  assert.deepEqual([nodes[0].state, nodes[0].code], ["halted", "STORAGE_CORRUPT"]);
  rmSync(at("node-1"), { recursive: true });
  rmSync(at("node-2"), { recursive: true });
  const lost = await q("get b --dir d --timeout 1s");
  assert.deepEqual([lost.code, lost.stdout], [1, ""], lost.stderr);
});

test("a directory that is in use is not checked", async (t) => {
  const { cwd, q } = await filled(t);
  const prompt = start(["cluster", "--dir", "d"], { cwd });
  prompt.child.stdin.write("get a\n");
  await said(prompt, /1/);
  const { code, stdout, stderr } = await q("storage check d");
  assert.deepEqual([code, stdout, /^STORAGE_LOCKED: /.test(stderr)], [1, "", true]);
  prompt.child.stdin.end();
  await prompt.ended;
});
