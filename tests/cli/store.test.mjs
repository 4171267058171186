// One command on a directory: what it answers, and how it ends.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { Cluster } from "quorate";
import { said, scratch, shell, start } from "./help.mjs";

test("keys and values", async (t) => {
  const cwd = scratch(t);
  const q = shell(cwd, { QUORATE_DIR: "shop" });
  const none = await q("get a");
  assert.deepEqual([none.code, none.stdout], [1, ""]);
  assert.match(none.stderr, /^NO_CLUSTER: there is no cluster in .*shop; `quorate init`/);
  assert.deepEqual(readdirSync(cwd), [], "and none is made");
  const founded = await q("init --name fruit --nodes 1 --json");
  assert.deepEqual([founded.objects[0].name, founded.objects[0].nodes], ["fruit", 1]);
  const twice = await q("init");
  assert.deepEqual([twice.code, /^STORAGE_FOREIGN: .*fruit/.test(twice.stderr)], [1, true]);

  assert.deepEqual((await q("put a 1 --json")).objects, [{ revision: 1 }]);
  const entry = { key: "a", value: "1", createRevision: 1, modRevision: 1, version: 1, lease: 0 };
  assert.deepEqual((await q("get a --json")).objects, [entry]);
  const { key, ...previous } = entry;
  assert.deepEqual((await q("put a 2 --prev --json")).objects, [{ revision: 2, previous }]);
  assert.equal((await q("get a --rev 1")).stdout, `${previous.value}\n`);
  assert.equal((await q("put 'b c'", "from standard\ninput")).stdout, "ok\n");
  assert.equal((await q("get 'b c'")).stdout, "from standard\ninput\n");
  assert.equal((await q("put raw", Buffer.of(0xff, 0))).code, 0);
  assert.equal(
    (await q("range")).stdout,
    'a 2\n"b c" "from standard\\ninput"\nraw base64:/wA=\n',
    "a line for each",
  );
  assert.equal((await q("get raw --json")).objects[0].valueBase64, "/wA=");
  assert.equal((await q("range a --keys-only")).stdout, "a\n");
  assert.equal(
    (await q("range --order-by modRevision --descending --limit 1")).stdout,
    "raw base64:/wA=\n",
  );
  assert.equal((await q("range --start b --count")).stdout, "2\n");
  assert.deepEqual(
    [(await q("incr n -5")).stdout, (await q("append a !")).stdout],
    ["-5\n", "ok\n"],
  );

  const absent = await q("get nothing");
  assert.deepEqual([absent.code, absent.stdout, absent.stderr], [3, "", "(absent)\n"]);
  assert.deepEqual((await q("get nothing --json")).objects, [{ key: "nothing", found: false }]);
  assert.equal((await q("cas a 1 3")).code, 3);
  assert.deepEqual((await q("cas a 1 3 --json")).objects[0].current.value, "2!");
  assert.equal((await q("cas a 2! 3")).code, 0);
  assert.equal((await q("del nothing")).code, 3);
  assert.equal((await q("del")).code, 2);
  assert.equal((await q("del a --prefix b")).code, 2);
  assert.equal((await q("del --prefix b")).stdout, "1 removed\n");
  assert.deepEqual((await q("del a --prev --json")).objects[0].previous.value, "3");
  assert.equal((await q("compact 999")).code, 1);
  assert.equal((await q("retain --revisions 5 --age 1h")).code, 0);
});

test("a range is told to its end, as of one revision, however long it is", async (t) => {
  const cwd = scratch(t);
  const q = shell(cwd);
  const large = "x".repeat(700_000);
  await q("cluster --nodes 1", ["a", "b", "c"].map((key) => `put ${key} ${large}\n`).join(""));
  const all = await q("range --json");
  assert.deepEqual(
    all.objects.map(({ key, value }) => [key, value.length]),
    ["a", "b", "c"].map((key) => [key, large.length]),
  );
  const cut = await q("range --descending --keys-only --limit 2");
  assert.equal(cut.stdout, "c\nb\n");
});

test("transactions, leases, watches and members", async (t) => {
  const q = shell(scratch(t), { QUORATE_DIR: "d" });
  await q("init --nodes 1");
  const seat = `{"if":[{"key":"seat","version":0}],"do":[{"put":"seat","value":"ada"}],"else":[{"get":"seat"},{"range":{"prefix":""}},{"txn":{"do":[{"increment":"n"},{"delete":"n2"}]}}]}`;
  const first = await q(`txn '${seat}'`);
  assert.deepEqual([first.code, first.stdout], [0, "the conditions held\n  ok\n"]);
  const second = await q("txn --json", seat);
  assert.equal(second.code, 3);
  const [get, range, nested] = second.objects[0].results;
  assert.deepEqual(
    [get.entry.value, range.entries[0].key, nested.results],
    [
      "ada",
      "seat",
      [
        { type: "increment", value: 1 },
        { type: "delete", deleted: 0 },
      ],
    ],
  );
  assert.equal((await q("txn {")).code, 2);
  assert.equal((await q(`txn '{"do":[{"set":"a"}]}'`)).code, 2);

  const bare = await q("lease grant 30");
  assert.deepEqual([bare.code, /30s or 30ms/.test(bare.stderr)], [2, true]);
  assert.equal((await q("lease grant 1h --id 5")).stdout, "5\n");
  assert.equal((await q("put held here --lease 5")).code, 0);
  const [status] = (await q("lease status 5 --json")).objects;
  assert.deepEqual([status.ttl, status.keys], [3_600_000, [{ key: "held" }]]);
  assert.equal((await q("lease renew 5 --json")).objects[0].remaining > 3_500_000, true);
  assert.deepEqual((await q("lease list")).stdout, "5\n");
  assert.equal((await q("lease revoke 5")).stdout, "1 removed\n");
  assert.equal((await q("lease renew 5")).code, 1);

  const events = (await q("watch --from 1 --events 3 --json")).objects;
  assert.deepEqual(
    events.map(({ type, key }) => [type, key]),
    [
      ["put", "seat"],
      ["put", "n"],
      ["put", "held"],
    ],
  );
  assert.equal((await q("member add")).stdout, "node 2 is in\n");
  const [picture] = (await q("status --json")).objects;
  assert.deepEqual(
    [picture.nodes.map(({ id, voter }) => [id, voter]), picture.leader === null],
    [
      [
        [1, true],
        [2, true],
      ],
      false,
    ],
  );
  assert.equal((await q("kill 1")).code, 2, "a cluster of one command has no use for it");
});

test("a cluster whose first nodes are gone is found, and none is founded in its place", async (t) => {
  const cwd = scratch(t);
  const q = shell(cwd, { QUORATE_DIR: "d" });
  const [{ id }] = (await q("init --nodes 1 --json")).objects;
  await q("put k v");
  assert.equal((await q("member replace 1")).code, 0);
  rmSync(join(cwd, "d", "node-1"), { recursive: true });
  assert.equal((await q("get k")).stdout, "v\n");
  assert.equal((await q("status --json")).objects[0].id, id);
  // A node that was made, and never told of a cluster, is none.
  for (const name of readdirSync(join(cwd, "d"))) rmSync(join(cwd, "d", name), { recursive: true });
  cpSync(unfounded(cwd), join(cwd, "d", "node-1"), { recursive: true });
  assert.match((await q("get k")).stderr, /^NO_CLUSTER: /);
  assert.match((await q("storage check")).stdout, /^node 1: knows of no cluster/);
});

/** The storage of a node that waited for others, who did not come. */
function unfounded(cwd) {
  const program = `
    import { Cluster } from "quorate";
    import { writeFileSync, mkdirSync } from "node:fs";
    mkdirSync("waits");
    for (const node of [2, 3]) writeFileSync("waits/node-" + node, "in the way");
    await Cluster.open({ name: "cluster", directory: "waits" }).catch(() => {});`;
  const at = new URL("../../pkg/dist/node.js", import.meta.url);
  const text = program.replace('"quorate"', JSON.stringify(at.href));
  execFileSync(process.execPath, ["--input-type=module", "-e", text], { cwd, timeout: 60_000 });
  return join(cwd, "waits", "node-1");
}

test("a lock is held while a command runs, whose exit code it is", async (t) => {
  const q = shell(scratch(t), { QUORATE_DIR: "d" });
  await q("init --nodes 1");
  const script =
    "process.stdout.write(process.env.QUORATE_TOKEN + process.argv[1]); process.exit(7)";
  const { code, stdout, stderr } = await q(
    `lock deploy -- ${process.execPath} -e '${script}' -- --flag`,
  );
  assert.deepEqual([code, stderr], [7, ""]);
  assert.match(stdout, /^\d+--flag$/);
  assert.equal((await q("range --count")).stdout, "0\n", "and released");
  const missing = await q("lock deploy -- ./no-such-program");
  assert.deepEqual([missing.code, /no-such-program/.test(missing.stderr)], [2, true]);
});

test("one process at a time has a directory; another can wait for it", async (t) => {
  const cwd = scratch(t);
  const q = shell(cwd, { QUORATE_DIR: "d" });
  await q("init --nodes 1");
  const prompt = start(["cluster", "--dir", "d"], { cwd });
  prompt.child.stdin.write("put k v\n");
  await said(prompt, /ok/);
  const refused = await q("get k --json");
  assert.equal(refused.code, 1);
  const { code, message, retryable } = refused.errors[0].error;
  assert.deepEqual([code, retryable], ["STORAGE_LOCKED", true]);
  assert.match(message, new RegExp(`process ${prompt.child.pid}`));
  assert.match(
    (await q("get k")).stderr,
    new RegExp(
      `^STORAGE_LOCKED: .*/d is in use by process ${prompt.child.pid}; .* by its own calls, .* --wait 30s\n$`,
    ),
  );
  const waiting = start(["get", "k", "--dir", "d", "--wait", "1m"], { cwd });
  const early = await q("get k --wait 1ms");
  assert.equal(early.code, 1);
  assert.equal(waiting.child.exitCode, null, "it waits");
  prompt.child.stdin.end();
  await prompt.ended;
  const { code: exit, stdout } = await waiting.ended;
  assert.deepEqual([exit, stdout], [0, "v\n"]);
});

test("Ctrl-C lets a lock go, and ends a watch", async (t) => {
  const cwd = scratch(t);
  const q = shell(cwd, { QUORATE_DIR: "d" });
  await q("init --nodes 1");
  await q("put k v");
  for (const [words, seen] of [
    [["watch", "--from", "1"], /put k v/],
    [["lock", "x"], /token \d+/],
  ]) {
    const running = start([...words, "--dir", "d"], { cwd });
    await said(running, seen);
    running.child.kill("SIGINT");
    const { code, stderr } = await running.ended;
    assert.deepEqual([code, stderr], [0, ""]);
  }
  assert.equal((await q("lock x --try -- true")).code, 0, "nobody has it");
  await q("cluster", "lock x\n");
  assert.equal((await q("lock x --try -- true")).code, 0, "who leaves a prompt lets go");
});

test("what runs under a lock hears by which signal it ends, and so does who waits for it", async (t) => {
  const cwd = scratch(t);
  await shell(cwd)("init --nodes 1 --dir d");
  const program = "console.log('runs'); setInterval(() => {}, 1_000)";
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ]) {
    const words = ["lock", "x", "--dir", "d", "--", process.execPath, "-e", program];
    const running = start(words, { cwd });
    await said(running, /runs/);
    running.child.kill(signal);
    assert.equal((await running.ended).code, code);
  }
});

test("keys that are no text have another name in objects", async (t) => {
  const cwd = scratch(t);
  const cluster = await Cluster.open({ name: "shop", nodes: 1, directory: join(cwd, "d") });
  const key = Uint8Array.of(0xff, 0);
  const lease = await cluster.kv.lease({ ttl: 3_600_000, id: 5, keepAlive: false });
  await cluster.kv.put(key, 1);
  await cluster.kv.delete(key);
  await cluster.kv.put(key, 2, { lease });
  await cluster.kv.put("text", 2, { lease });
  await cluster.close();
  const q = shell(cwd, { QUORATE_DIR: "d" });
  const keyBase64 = "/wA=";
  const events = (await q("watch --from 1 --events 2 --json")).objects;
  assert.deepEqual(
    events.map((event) => [event.type, event.key, event.keyBase64, event.modRevision]),
    [
      ["put", undefined, keyBase64, 1],
      ["delete", undefined, keyBase64, 2],
    ],
  );
  const [{ keys }] = (await q("lease status 5 --json")).objects;
  assert.deepEqual(keys, [{ key: "text" }, { keyBase64 }]);
});

test("a directory that is none, and a line that makes no sense", async (t) => {
  const cwd = scratch(t);
  const q = shell(cwd);
  writeFileSync(join(cwd, "file"), "");
  assert.match((await q("get k --dir file")).stderr, /^NO_CLUSTER: /);
  for (const [line, told] of [
    ["frobnicate", /^USAGE: there is no command frobnicate/],
    ["lease", /^USAGE: lease what: grant, /],
    ["lease grab", /^USAGE: there is no lease grab; there is grant, /],
    ["put", /^USAGE: put takes KEY \[VALUE\]/],
    ["get a b", /^USAGE: get takes KEY/],
    ["get k --frob", /^USAGE: .*--frob.*help get/],
    ["get k --rev", /^USAGE: .*--rev/],
    ["get k --timeout soon", /^USAGE: --timeout is a time with its unit/],
    ["incr k many", /^USAGE: many is no number|^NO_CLUSTER/],
  ]) {
    const { code, stdout, stderr } = await q(line);
    assert.match(stderr, told);
    assert.deepEqual([code === 0, stdout, stderr.trimEnd().includes("\n")], [false, "", false]);
  }
});
