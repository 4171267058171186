// What a process sees: it ends by itself after close, and the prompt works from a pipe.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { scratch } from "./help.mjs";

const cli = fileURLToPath(new URL("../../pkg/dist/cli.js", import.meta.url));

/** Runs Node to its end. */
async function run(args, input = "", cwd = undefined) {
  const child = spawn(process.execPath, args, { cwd, timeout: 60_000, killSignal: "SIGKILL" });
  const out = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"])
    child[name].setEncoding("utf8").on("data", (text) => (out[name] += text));
  child.stdin.end(input);
  const [code, signal] = await once(child, "close");
  assert.equal(signal, null, `it did not end by itself: ${out.stdout}${out.stderr}`);
  return { code, ...out };
}

const program = (text) => ["--input-type=module", "-e", text];

test("a process ends by itself after close", async (t) => {
  const directory = JSON.stringify(scratch(t));
  const { code, stdout, stderr } = await run(
    program(`
      import { Cluster } from "quorate";
      const cluster = await Cluster.open({ name: "test", directory: ${directory} });
      cluster.addEventListener("status", () => {});
      cluster.network.delay({ ms: 20 });
      await Promise.all([1, 2, 3].map((at) => cluster.kv.put("k" + at, at)));
      await cluster.node(1).kill();
      const late = cluster.kv.put("never", 1, { timeout: 86400000 }).catch((error) => error.code);
      await cluster.close();
      console.log(await late);`),
  );
  assert.equal(stderr, "");
  assert.match(stdout, /^(CLOSED|\[object Object\])\n$/);
  assert.equal(code, 0);
});

test("a process ends by itself after an opening that failed", async () => {
  const { code, stdout } = await run(
    program(`
      import { Cluster } from "quorate";
      const storage = () => { throw new Error("no disk"); };
      await Cluster.open({ name: "test", storage }).catch((error) => console.log(error.code));`),
  );
  assert.deepEqual([code, stdout], [0, "WORKER_FAILED\n"]);
});

test("importing does nothing", async () => {
  const { code, stdout } = await run(
    program(`
      // Reading the files of modules leaves handles that close within some turns of the loop.
      const resources = async () => {
        for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
        return process.getActiveResourcesInfo().length;
      };
      const before = await resources();
      await import("quorate");
      console.log((await resources()) - before);`),
  );
  assert.deepEqual([code, stdout], [0, "0\n"]);
});

test("the package can be required", async () => {
  const text = `const { Cluster } = require("quorate"); console.log(typeof Cluster.open);`;
  const { stdout } = await new Promise((resolve, reject) =>
    execFile(process.execPath, ["--no-warnings", "-e", text], (error, stdout) =>
      error ? reject(error) : resolve({ stdout }),
    ),
  );
  assert.equal(stdout, "function\n");
});

test("the prompt reads commands from a pipe, in order, to the end", async (t) => {
  const cwd = scratch(t);
  const input = `
# a comment
put greeting "hello, \\"world\\""
get greeting
append greeting !
get greeting
incr n 5
incr n
cas n 6 7
cas n 6 8
del n
del n
get n
list gr
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
  const { code, stdout, stderr } = await run([cli], input, cwd);
  assert.equal(stderr, "");
  assert.equal(code, 0, stdout);
  const lines = stdout.trimEnd().split("\n");
  assert.deepEqual(lines.slice(0, 12), [
    "ok",
    'hello, "world"',
    "ok",
    'hello, "world"!',
    "5",
    "6",
    "ok",
    "not swapped: 7",
    "ok",
    "(absent)",
    "(absent)",
    'greeting hello, "world"!',
  ]);
  assert.equal(lines[12], "ok");
  assert.match(lines.slice(13, 16).join("\n"), /^1 .*\n2 {2}killed\n3 /);
  assert.deepEqual(lines.slice(16, -3), ["ok", "ok", "ok", "ok", "ok", "ok", "ok", "split"]);
  assert.equal(lines.slice(-3).filter((line) => /leader +term \d+/.test(line)).length, 1);

  const again = await run([cli], "get k\nexit\nput k unreached\n", cwd);
  assert.deepEqual([again.code, again.stdout], [0, "split\n"], "state stays, and exit is the end");
});

test("members come and go at the prompt", async (t) => {
  const input =
    "put k v\nadd\nreplace 3\nremove 2\nlead 1\nstatus\nget k\nremove 9\nadd 4\nlead x\n";
  const { code, stdout } = await run([cli, "--memory"], input, scratch(t));
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
  assert.equal(lines[8], "v");
  for (const [at, told] of [
    /^UNKNOWN_MEMBER: ./,
    /^ALREADY_MEMBER: ./,
    /^INVALID_ARGUMENT: ./,
  ].entries())
    assert.match(lines[9 + at], told);
  assert.equal(code, 1);
});

test("a command that fails is told, the rest goes on, and the exit code is 1", async (t) => {
  const input =
    "frobnicate\nput onlykey\nkill 9\nkill two\npartition 1 1\nput k v\nget k\nincr k\n";
  const { code, stdout } = await run([cli, "--memory"], input, scratch(t));
  const lines = stdout.trimEnd().split("\n");
  for (const line of lines.slice(0, 5)) assert.match(line, /^INVALID_ARGUMENT: ./);
  assert.deepEqual(lines.slice(5, 7), ["ok", "v"]);
  assert.match(lines[7], /^NOT_AN_INTEGER: ./);
  assert.equal(code, 1);
});

test("options of the prompt", async (t) => {
  const cwd = scratch(t);
  assert.match((await run([cli, "--help"], "", cwd)).stdout, /usage:.*partition/s);
  const bad = await run([cli, "--nodes", "9"], "", cwd);
  assert.match(bad.stderr, /^INVALID_OPTION: .*"nodes"/);
  assert.equal(bad.code, 1);
  for (const [args, told] of [
    [["--nope"], /^INVALID_OPTION: .*--nope.*--help/],
    [["surplus"], /^INVALID_OPTION: .*surplus/],
    [["--nodes", "many"], /many/],
    [["--memory", "--directory", "here"], /"directory"/],
  ]) {
    const { code, stderr } = await run([cli, ...args], "put k v\n", cwd);
    assert.match(stderr, told);
    assert.equal(code, 1);
  }
  const five = await run([cli, "--nodes", "5", "--memory"], "status\n", cwd);
  assert.equal(five.stdout.trimEnd().split("\n").length, 5);
});

test("Ctrl-C at the prompt ends what runs, and the process", async (t) => {
  const terminal = ["--import", "data:text/javascript,process.stdin.isTTY = true"];
  const child = spawn(process.execPath, [...terminal, cli, "--memory"], {
    cwd: scratch(t),
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  let shown = "";
  let step = 0;
  const steps = [
    [/> /, "kill 1\r"],
    [/ok/, "kill 2\r"],
    [/ok.*ok/s, "get k\r"],
    [/get k\r/, "\x03"],
  ];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    shown += text;
    for (; step < steps.length && steps[step][0].test(shown); step++)
      child.stdin.write(steps[step][1]);
  });
  const [code] = await once(child, "close");
  assert.equal(code, 0, shown);
  assert.equal(step, steps.length, shown);
  assert.doesNotMatch(shown, /QUORUM|TIMEOUT|CLOSED/);
});
