// The simulator's command line: one world is the same natively and on wasm32, to the last line of its trace; other people's
// histories are judged; exit codes say what happened.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { before, test } from "node:test";
import { at, environment, must, newLog } from "../../scripts/lib/run.mjs";
import { build, load } from "./wasm.mjs";

const io = { log: "sim-wasm.log" };
let wasm;

before(async () => {
  newLog(io.log);
  await must("cargo", ["build", "--release", "-p", "quorate-sim", "--bin", "sim"], io);
  wasm = await load(await build(io));
});

function sim(options, input = "") {
  const program = at("target", "release", "sim");
  const settings = { encoding: "utf8", input, env: environment(), maxBuffer: 1 << 28 };
  const { status, stdout, stderr } = spawnSync(program, options, settings);
  return { code: status, text: stdout, complaint: stderr };
}

for (const options of [
  "--seed 1 --seconds 3 --trace",
  "--seed 2 --seconds 3",
  "--seed 7 --seconds 2.5 --clients 2 --nodes 3 --plain link,disk --trace",
  "--seed 8 --seconds 4 --faults 1,2 --trace",
]) {
  test(`the world of ${options} is the same natively and on wasm32`, () => {
    const here = sim(options.split(" "));
    const there = wasm(options.split(" "));
    assert.match(here.text, /^hash [0-9a-f]{16}$/m);
    assert.deepEqual(there, here);
    assert.equal(here.code, 0, here.complaint);
  });
}

test("what is taken away from a world changes it", () => {
  const hash = (options) => /^hash (.*)$/m.exec(sim(options.split(" ")).text)[1];
  const world = "--seed 11 --seconds 15";
  const hashes = [world, `${world} --faults none`, `${world} --clients 1`, `${world} --nodes 1`];
  assert.equal(new Set(hashes.map(hash)).size, hashes.length);
});

test("seeds make one sum, whatever the number of jobs", () => {
  const first = (options) =>
    sim(options.split(" "))
      .text.split("\n")[0]
      .replace(/ \(.*?\)/, "");
  const one = first("--seeds 6 --seconds 1 --jobs 1");
  assert.match(one, /^\d+ seeds passed: \d+ simulated s, \d+ events, hash [0-9a-f]{16}$/);
  assert.equal(first("--seeds 6 --seconds 1 --jobs 3"), one);
});

const line = (fields) => `${JSON.stringify({ client: 1, key: "k", ok: true, ...fields })}\n`;
const put = line({ call: 1, return: 2, op: "put", value: "v" });

test("a good history is explained", () => {
  const { code, text } = sim(
    ["check", "-"],
    put + line({ call: 3, return: 4, op: "get", value: "v" }),
  );
  assert.equal(code, 0);
  assert.match(text, /^linearizable: 2 operations on 1 keys, 0 of unknown outcome$/m);
});

test("a bad history fails as safety does, and its line is shown", () => {
  const stale = line({ call: 3, return: 4, op: "get", value: null });
  const { code, complaint } = sim(["check", "-"], put + stale);
  assert.equal(code, 11);
  assert.match(complaint, /line 2: no order explains this answer, of key "k"/);
  assert.ok(complaint.includes(stale.trim()));
});

for (const options of [
  "--seed",
  "--seed x",
  "--seed 1 --without fire",
  "--seeds 0",
  "--seeds 3 --trace",
  "--jobs 0",
  "--minutes never",
  "--wasm",
  "check",
  "check no-such-file",
  "nonsense",
]) {
  test(`"${options}" is refused with a reason`, () => {
    const { code, complaint } = sim(options.split(" "));
    assert.equal(code, 2);
    assert.match(complaint, /^sim: /);
  });
}

test("a file that is no history is refused by its line", () => {
  const { code, complaint } = sim(["check", "-"], `${put}{"op":"put"}\n`);
  assert.equal(code, 2);
  assert.match(complaint, /line 2/);
});
