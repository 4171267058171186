// The prompt: commands on a cluster that goes on running, from a pipe and from a terminal.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { run, said, scratch, start } from "./help.mjs";

test("it reads commands from a pipe, in order, to the end", async (t) => {
  const cwd = scratch(t);
  const input = `
# a comment
put greeting "hello, \\"world\\""
get greeting
append greeting !
get greeting
incr n 5
incr n
incr n -2
cas n 4 7
cas n 6 8
del n
del n
get n
range gr
kill 2
status
put k v
start 2
partition 1 | 2 3
put k split
heal
isolate 3
heal
get k
status
`;
  const { code, stdout, stderr } = await run(["cluster"], { input, cwd });
  assert.equal(stderr, "");
  assert.equal(code, 0, stdout);
  const lines = stdout.trimEnd().split("\n");
  assert.deepEqual(lines.slice(0, 13), [
    "ok",
    'hello, "world"',
    "ok",
    'hello, "world"!',
    "5",
    "6",
    "4",
    "ok",
    "not swapped: 7",
    "ok",
    "(absent)",
    "(absent)",
    'greeting hello, "world"!',
  ]);
  assert.equal(lines[13], "ok");
  assert.match(lines.slice(14, 17).join("\n"), /^1 .*\n2 {2}killed\n3 /);
  assert.deepEqual(lines.slice(17, -3), ["ok", "ok", "ok", "ok", "ok", "ok", "ok", "split"]);
  assert.equal(lines.slice(-3).filter((line) => /leader +term \d+/.test(line)).length, 1);

  const again = await run(["cluster"], { input: "get k\nexit\nput k unreached\n", cwd });
  assert.deepEqual([again.code, again.stdout], [0, "split\n"], "state stays, and exit is the end");
});

test("members come and go", async (t) => {
  const input = `put k v
member add
member replace 3
member remove 2
lead 1
status
get k
member list
member remove 9
member add 4
lead x
`;
  const { code, stdout, stderr } = await run(["cluster", "--memory"], { input, cwd: scratch(t) });
  const lines = stdout.trimEnd().split("\n");
  assert.deepEqual(lines.slice(0, 5), [
    "ok",
    "node 4 is in",
    "node 5 is in the place of node 3",
    "ok",
    "ok",
  ]);
  const status = lines.slice(5, 8).map((line) => line.split(/ +/).slice(0, 2).join(" "));
  assert.deepEqual(status, ["1 leader", "4 follower", "5 follower"]);
  assert.deepEqual(lines.slice(8), ["v", "1  voter", "4  voter", "5  voter"]);
  const errors = stderr.trimEnd().split("\n");
  for (const [at, told] of [/^UNKNOWN_MEMBER: ./, /^ALREADY_MEMBER: ./, /^USAGE: x is/].entries())
    assert.match(errors[at], told);
  assert.equal(errors.length, 3);
  assert.equal(code, 1);
});

test("a command that fails is told, the rest goes on, and the exit code is 1", async (t) => {
  const input = `frobnicate
put onlykey
kill 9
kill two
partition 1 1
put k v
get k
incr k
snapshot
put k v --nope
init
`;
  const { code, stdout, stderr } = await run(["cluster", "--memory"], { input, cwd: scratch(t) });
  assert.equal(stdout, "ok\nv\n");
  const told = [
    /^USAGE: .*frobnicate/,
    /^USAGE: VALUE is missing/,
    /^INVALID_ARGUMENT: .*9/,
    /^USAGE: two/,
    /^INVALID_ARGUMENT: ./,
    /^NOT_AN_INTEGER: ./,
    /^USAGE: snapshot what: save\?/,
    /^USAGE: .*--nope.*help put/,
    /^USAGE: there is no command init/,
  ];
  const lines = stderr.trimEnd().split("\n");
  assert.equal(lines.length, told.length, stderr);
  for (const [at, pattern] of told.entries()) assert.match(lines[at], pattern);
  assert.equal(code, 1);
});

test("watches and locks stay from one command to the next", async (t) => {
  const prompt = start(["cluster", "--memory", "--json"], { cwd: scratch(t) });
  const { child } = prompt;
  child.stdin.write("watch a --prev\nput a 1\nput b 2\nput a 2\n");
  await said(prompt, /"put".*"value":"2"/);
  child.stdin.write(
    "unwatch\nlock x\nlock x\nlock y -- echo\nunlock y\nunlock x\nput a 3\nlock x --try\n",
  );
  child.stdin.end("lease list\n");
  const { code, stdout, stderr } = await prompt.ended;
  const objects = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const events = objects.filter(({ type }) => type === "put");
  assert.deepEqual(
    events.map(({ key, value, previous }) => [key, value, previous?.value]),
    [
      ["a", "1", undefined],
      ["a", "2", "1"],
    ],
  );
  const locks = objects.filter(({ lock }) => lock !== undefined);
  assert.deepEqual(
    locks.map(({ lock, held }) => [lock, held]),
    [
      ["x", true],
      ["x", false],
      ["x", true],
    ],
  );
  assert.ok(locks[2].token > locks[0].token);
  assert.equal(objects.at(-1).leases.length, 1);
  const errors = stderr
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).error.code);
  assert.deepEqual([errors, code], [["USAGE", "USAGE", "USAGE"], 1]);
});

test("how it is opened", async (t) => {
  const cwd = scratch(t);
  for (const [words, code, told] of [
    [["cluster", "--nodes", "9"], 2, /^INVALID_OPTION: .*"nodes"/],
    [["cluster", "--nope"], 2, /^USAGE: .*--nope.*help cluster/],
    [["cluster", "surplus"], 2, /^USAGE: cluster takes nothing/],
    [["cluster", "--nodes", "many"], 2, /--nodes is no number/],
    [["cluster", "--memory", "--dir", "here"], 2, /--memory and --dir/],
  ]) {
    const result = await run(words, { input: "put k v\n", cwd });
    assert.match(result.stderr, told);
    assert.deepEqual([result.code, result.stdout], [code, ""]);
  }
  const five = await run(["cluster", "--nodes", "5", "--memory"], { input: "status\n", cwd });
  assert.equal(five.stdout.trimEnd().split("\n").length, 5);
  const shop = ["cluster", "--dir", "d", "--name", "shop", "--nodes", "1"];
  assert.equal((await run(shop, { input: "put k v\n", cwd })).stdout, "ok\n");
  // Neither its name nor its size has to be said again.
  const again = await run(["cluster", "--dir", "d"], { input: "get k\nstatus --json\n", cwd });
  const [value, status] = again.stdout.trimEnd().split("\n");
  const { cluster, nodes } = JSON.parse(status);
  assert.deepEqual([value, cluster, nodes.length], ["v", "shop", 1]);
  await run(["cluster", "--name", "fruit", "--nodes", "1"], { input: "put k v\n", cwd });
  assert.deepEqual(readdirSync(join(cwd, ".quorate")), ["fruit"], "where the package has it");
  const folders = readdirSync(join(cwd, "d")).filter((name) => name.startsWith("node-"));
  assert.deepEqual(folders, ["node-1"]);
});

const terminal = ["--import", "data:text/javascript,process.stdin.isTTY = true"];

test("Ctrl-C ends what runs, and the process", async (t) => {
  const prompt = start(["cluster", "--memory"], { cwd: scratch(t), flags: terminal });
  const { child, out, ended } = prompt;
  for (const [seen, keys] of [
    [/> /, "kill 1\r"],
    [/ok/, "kill 2\r"],
    [/ok.*ok/s, "get k\r"],
    [/get k\r/, "\x03"],
  ]) {
    await said(prompt, seen);
    child.stdin.write(keys);
  }
  const { code } = await ended;
  assert.equal(code, 0, out.stdout);
  assert.doesNotMatch(out.stdout + out.stderr, /QUORUM|TIMEOUT|CLOSED/);
});

test("a terminal completes commands, and is told what happens", async (t) => {
  const prompt = start(["cluster", "--memory"], { cwd: scratch(t), flags: terminal });
  const { child, out, ended } = prompt;
  for (const [seen, keys] of [
    [/> /, "statu\t"],
    [/status /, "--js\t"],
    [/--json /, "\r"],
    [/"nodes":/, "watch k\r"],
    [/ok/, "put k v\r"],
    [/put k v\n/, "exit\r"],
  ]) {
    await said(prompt, seen);
    child.stdin.write(keys);
  }
  assert.equal((await ended).code, 0, out.stdout);
});
