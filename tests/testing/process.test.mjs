// A simulated node's clock, which goes on from where it was and never back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bundle } from "../bundle.mjs";

const { chance, process, queue } = await bundle({
  chance: "testing/simulation/chance.ts",
  process: "testing/simulation/process.ts",
  queue: "testing/simulation/queue.ts",
});

const SECOND = 1_000_000;

function make() {
  const time = new queue.Queue();
  const random = new chance.Chance(1, 1);
  return { time, node: new process.Process(1, { queue: time }, random, random, random) };
}

test("a clock that is frozen goes on from where it was, whatever its rate", () => {
  for (const rate of [0.5, 1, 1.5]) {
    const { time, node } = make();
    node.drift(rate);
    time.now += SECOND;
    const before = node.local;
    const end = node.pause(true);
    time.now += 2 * SECOND;
    end();
    assert.equal(node.local, before);
    time.now += SECOND;
    assert.equal(node.local, before + rate * SECOND);
    node.pause(false)();
    assert.equal(node.local, before + rate * SECOND);
  }
});

test("the end of a pause that a crash cut short is none of the next one", () => {
  const { time, node } = make();
  const first = node.pause(true);
  time.now += 3 * SECOND;
  const before = node.local;
  const second = node.pause(true);
  time.now += SECOND;
  first();
  assert.ok(node.paused);
  assert.equal(node.local, before + SECOND);
  second();
  assert.ok(!node.paused);
  assert.equal(node.local, before);
});
