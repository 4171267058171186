// The module with planted bugs: without one it is the plain module, and each one is found.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";

import { buildSim } from "../../scripts/build-sim.mjs";
import { source } from "../../scripts/lib/copy.mjs";
import { mutate } from "../../scripts/lib/mutants.mjs";
import { plantedFiles, readPlanted, shown } from "../../scripts/lib/planted.mjs";
import { at } from "../../scripts/lib/run.mjs";
import { load as loadSource } from "../www/load.mjs";

/** A bug is found in so many worlds: those that a visitor waits for. */
const SEEDS = 300;
/** Worlds in which a variant does no harm, and in which no bug makes no difference. */
const WORLDS = 60;
/** As on the page. */
const { TORMENT } = await loadSource("hunt/settings");
const { DEFAULT_SPEC } = await loadSource("sim/spec");

const entries = readPlanted();
const bugs = entries.filter(({ isBug }) => isBug);
let plain;
let planted;

before(async () => {
  await buildSim({ quiet: true });
  [plain, planted] = [await load("sim"), await load("planted")];
});

async function load(name) {
  const folder = at("www", "wasm", name);
  const module = await import(`${folder}/sim.js`);
  module.initSync({ module: readFileSync(`${folder}/sim_bg.wasm`) });
  return module;
}

const campaign = (seed, bug) => ({
  ...DEFAULT_SPEC,
  seed,
  world: "campaign",
  torment: TORMENT,
  bug,
});

/** The last chunk of a world, with which all that happened in it is told. */
function end(module, spec) {
  const stage = new module.Stage(spec);
  try {
    for (;;) {
      const chunk = stage.advance(50_000, Number.MAX_SAFE_INTEGER);
      if (chunk.ended || chunk.failure !== null) return chunk;
    }
  } finally {
    stage.free();
  }
}

test("each change fits the crates as they are, in one place", () => {
  for (const entry of entries) assert.ok(mutate(entry, source).size > 0);
  const changed = plantedFiles();
  for (const { name, edits } of entries) {
    for (const { path } of edits) assert.ok(changed.get(path).includes(`planted::is("${name}")`));
  }
  assert.throws(
    () => readPlanted(source("crate/sim-wasm/planted.txt").replace('is("no-pre-vote")', 'is("x")')),
    /asks whether it is on/,
  );
});

test("what a visitor reads is there, and says what the change is", () => {
  assert.ok(bugs.length >= 10);
  for (const entry of entries) {
    const { breaks, changes, try: hint } = shown(entry);
    assert.match(breaks, /^[A-Z].*\.$/);
    assert.match(entry.paper, /§/);
    if (entry.isBug) assert.match(hint, /^[A-Z].*\.$/);
    const after = changes.flatMap((change) => change.after).join("\n");
    assert.match(after, /\bplanted\b/);
    assert.doesNotMatch(after, /planted::/);
  }
});

test("the scene in which a visitor looks for a bug can be opened, and is sound at first", () => {
  for (const entry of bugs) {
    const { name, scene } = shown(entry);
    for (const [key, value] of Object.entries(scene))
      assert.equal(typeof value, typeof DEFAULT_SPEC[key], `${name}: ${key}`);
    const stage = new planted.Stage({ ...DEFAULT_SPEC, ...scene, bug: name });
    assert.ok(stage.advance(10, Number.MAX_SAFE_INTEGER).events.length > 0);
    stage.free();
  }
});

test("without a bug it is the plain module, also after it had one", () => {
  assert.deepEqual(plain.bugs(), []);
  assert.deepEqual(
    planted.bugs(),
    entries.map(({ name }) => name),
  );
  assert.throws(() => planted.hunt(1, TORMENT, "no-such-bug"), /no bug named/);
  planted.hunt(1, TORMENT, "sent-counts-as-stored");
  for (let seed = 1; seed <= WORLDS; seed++) {
    const [one, other] = [plain, planted].map((module) => end(module, campaign(seed, null)));
    assert.equal(other.hash, one.hash, `world ${seed}`);
    assert.equal(other.count, one.count, `world ${seed}`);
    assert.equal(one.failure, null, `world ${seed}`);
  }
});

for (const { name, caughtBy } of bugs) {
  test(`${name} is found, and its world fails at the same event when it is opened`, () => {
    let result;
    for (let seed = 1; seed <= SEEDS && !result?.failure; seed++)
      result = planted.hunt(seed, TORMENT, name);
    assert.ok(result.failure, `not in ${SEEDS} worlds`);
    const { property, text } = result.failure;
    assert.ok(caughtBy.includes(property), `it broke ${property}`);
    const { failure, count } = end(planted, campaign(result.seed, name));
    assert.equal(failure.event, result.events);
    assert.equal(count, result.events);
    assert.deepEqual([failure.property, failure.text], [property, text]);
  });
}

for (const { name, caughtBy } of entries.filter(({ isBug }) => !isBug)) {
  test(`${name} is another Raft, and breaks no promise`, () => {
    let others = 0;
    for (let seed = 1; seed <= WORLDS; seed++) {
      const { failure, events } = planted.hunt(seed, TORMENT, name);
      const property = failure?.property ?? "nothing";
      assert.ok(property === "nothing" || caughtBy.includes(property), `${seed}: ${property}`);
      if (events !== planted.hunt(seed, TORMENT, null).events) others += 1;
    }
    assert.ok(others > 0, "it makes a difference");
  });
}
