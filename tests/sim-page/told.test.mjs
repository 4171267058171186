// What the page is told of a world: answers that broke a property, campaigns as they go on, and sentences for times that are none.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { buildSim } from "../../scripts/build-sim.mjs";
import { load } from "../www/load.mjs";
import { simulator } from "./theatre.mjs";

const { DEFAULT_SPEC } = await load("sim/spec");
const { TORMENT } = await load("hunt/settings");
const END = Number.MAX_SAFE_INTEGER;

before(() => buildSim({ quiet: true }));

/** Lives a world to its end: its last chunk, and its calls as they are then. */
function end(stage) {
  const calls = new Map();
  for (;;) {
    const chunk = stage.advance(5_000, END);
    for (const row of chunk.operations) calls.set(row.id, row);
    if (chunk.ended || chunk.failure !== null) return { chunk, calls };
  }
}

test("an answer that breaks a property is told, and its call is marked", async () => {
  const bug = "read-by-whoever-is-asked";
  const planted = await simulator("planted");
  let stale = 0;
  for (let seed = 1; seed <= 40; seed += 1) {
    const { failure } = planted.hunt(seed, TORMENT, bug);
    if (failure?.property !== "Reads are not stale") continue;
    stale += 1;
    const spec = { ...DEFAULT_SPEC, seed, world: "campaign", torment: TORMENT, bug };
    const { chunk, calls } = end(new planted.Stage(spec));
    const { event, operations } = chunk.failure;
    assert.ok(operations.length > 0, `world ${seed}`);
    const last = [...calls.values()].filter(({ endedEvent }) => endedEvent === event);
    assert.ok(last.length > 0, `world ${seed}`);
    for (const { state, answer } of last)
      assert.deepEqual([state, typeof answer], ["answered", "string"]);
    assert.ok(
      operations.some((id) => last.some((call) => call.id === id)),
      `world ${seed}`,
    );
    assert.doesNotMatch(chunk.failure.text, /[{}]|Some\(|b"/);
  }
  assert.ok(stale > 3, `${stale} worlds with stale reads`);
});

test("a campaign of minutes goes on in pieces", async () => {
  const sim = await simulator("sim");
  const spec = { ...DEFAULT_SPEC, seed: 1, world: "campaign", torment: 600_000 };
  const stage = new sim.Stage(spec);
  const hashes = new Set();
  for (let count = 500; count <= 2_000; count += 500) {
    const chunk = stage.advance(500, END);
    assert.deepEqual([chunk.count, chunk.ended, chunk.failure], [count, false, null]);
    hashes.add(chunk.hash);
    assert.equal(stage.judge(), null);
  }
  assert.equal(hashes.size, 4, "each of what was told so far");
  const { count, events } = stage.advance(50_000, stage.advance(0, END).at + 200_000);
  assert.ok(count > 2_000 && events.length > 0);
  stage.free();
});

test("what is no time, and what is no number of events, is refused in a sentence", async () => {
  const sim = await simulator("sim");
  const stage = new sim.Stage(DEFAULT_SPEC);
  stage.skip(100);
  for (const until of [Number.NaN, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    assert.throws(() => stage.advance(1, until), { message: /until is a time from 0 on, not / });
  for (const events of [Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY, 2 ** 60]) {
    assert.throws(() => stage.advance(events, END), { message: /events is a whole number/ });
    assert.throws(() => stage.skip(events), { message: /events is a whole number/ });
  }
  const act = (given) => () => stage.act({ do: "slow", from: 1, to: 2, ms: 1, ...given });
  for (const ms of [Number.NaN, -1, Number.POSITIVE_INFINITY])
    assert.throws(act({ ms }), { message: /ms is a whole number/ });
  assert.throws(act({ from: Number.NaN }), { message: /from is a whole number/ });
  assert.throws(act({ do: "lose", flight: Number.NaN }), { message: /flight is a whole number/ });
  assert.throws(act({ do: "lossy", loss: Number.NaN }), { message: /from 0 to 1/ });
  for (const [seed, torment] of [
    [Number.NaN, 1],
    [1, Number.NaN],
    [1, -1],
  ])
    assert.throws(() => sim.hunt(seed, torment, undefined), { message: /is a whole number/ });
  assert.equal(stage.advance(0, END).count, 100);
});
