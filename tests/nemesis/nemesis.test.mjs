// Some seconds of faults on each host; and the judge, who must find what is wrong.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import test from "node:test";
import { chanceOf } from "./chance.mjs";
import { drive } from "./drive.mjs";
import { toLines } from "./history.mjs";
import { judge } from "./judge.mjs";

/** Always the same choices; when they fall differs from run to run. `npm run nemesis` tries others. */
const seed = 41;
const seconds = 8;

/** One run without problems, in which much was done and much was answered. */
async function survives(t, host) {
  const summary = await drive({ host, seed, seconds });
  const again = `npm run nemesis -- --host ${host} --seconds ${seconds} --seed ${seed}`;
  t.diagnostic(`${again}: ${JSON.stringify([summary.calls, summary.faults])}`);
  assert.deepEqual(summary.problems, [], again);
  const done = (...kinds) => kinds.some((kind) => summary.faults[kind] > 0);
  assert.ok(done("kill", "killLeader", "killMany", "depose"), "a node was killed");
  assert.ok(done("partition", "isolateLeader", "oneWay", "lossy", "slow"), "the network failed");
  assert.ok(done("freeze", "freezeLeader"), "a worker was frozen");
  if (host === "chromium" || host === "node") assert.ok(done("suspend"), "the host was suspended");
  assert.ok(summary.calls.known > 50, "calls were answered");
  return summary;
}

test("a cluster in Chromium survives the nemesis", (t) => survives(t, "chromium"));

test("a cluster in Firefox survives the nemesis", (t) => survives(t, "firefox"));

test("a cluster in WebKit survives the nemesis", (t) => survives(t, "webkit"));

test("a cluster on Node survives the nemesis, and the judge finds what is made wrong", async (t) => {
  const { history } = await survives(t, "node");
  const wrong = async (name, make) => {
    const calls = readFileSync(history, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const call = make(calls);
    assert.ok(call, `there is a call to be ${name}`);
    const file = history.replace("history", name);
    writeFileSync(file, toLines(calls));
    const { linearizable, told } = await judge(file);
    assert.equal(linearizable, false);
    assert.match(told, new RegExp(`${call.key}\\b`), "the key is named");
    return { told, line: calls.indexOf(call) + 1 };
  };
  await wrong("stale", makeStale);
  const { told, line } = await wrong("denied", makeDenied);
  assert.match(told, new RegExp(`line ${line}: said never to take effect`));
});

/** Gives a get the value that an earlier one read, and one between the two no longer did. Values never come back. */
function makeStale(calls) {
  const gets = calls.filter(({ op, ok, value }) => op === "get" && ok && value !== null);
  for (const third of gets) {
    const before = gets.filter(({ key, return: end }) => key === third.key && end < third.call);
    const second = before.find(({ value }) => value === third.value);
    if (second === undefined) continue;
    const first = before.find((get) => get.value !== second.value && get.return < second.call);
    if (first === undefined) continue;
    third.value = first.value;
    return third;
  }
  return undefined;
}

/** Says of a put whose value was read that it never takes effect. */
function makeDenied(calls) {
  const isRead = ({ key, value }) =>
    calls.some((get) => get.op === "get" && get.ok && get.key === key && get.value === value);
  const put = calls.find((call) => call.op === "put" && call.ok && isRead(call));
  return put && Object.assign(put, { return: null, ok: false });
}

test("equal seeds and names make equal choices, other names other ones", () => {
  const draw = (seed, name) => {
    const chance = chanceOf(seed, name);
    return Array.from({ length: 20 }, () => chance.below(1_000));
  };
  assert.deepEqual(draw(1, "network"), draw(1, "network"));
  assert.notDeepEqual(draw(1, "network"), draw(1, "process"));
  assert.notDeepEqual(draw(1, "network"), draw(2, "network"));
});
