// The hunt without a document: what worlds come to, who lives which, what is kept, what links say.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./load.mjs";

const { add, batchOf, beginning, MAX_FINDS, pace, resumed } = await load("hunt/tally");
const { Pack } = await load("hunt/pack");
const { nextCount } = await load("hunt/work");
const { readFound, noteFound } = await load("hunt/found");
const { linkToFind, linkToScene, seedOf, workersOf, TORMENT } = await load("hunt/settings");
const { readLink } = await load("sim/link");
const { DEFAULT_SPEC } = await load("sim/spec");
const words = await load("words/hunt");

const world = (seed, property = null) => ({
  seed,
  events: 10,
  faults: 2,
  time: 1_000_000,
  failure: property === null ? null : { kind: "safety", property, text: `seen in ${seed}` },
});

test("worlds add up, by result", () => {
  const results = [world(1), world(2, "Log Matching"), world(3, "Exactly once")];
  const tally = add(
    add(beginning(0), batchOf(results), 10),
    batchOf([world(4, "Log Matching")]),
    20,
  );
  assert.deepEqual(
    [tally.worlds, tally.events, tally.faults, tally.time, tally.failed],
    [4, 40, 8, 4_000_000, 3],
  );
  assert.deepEqual(
    [...tally.broken],
    [
      ["Log Matching", 2],
      ["Exactly once", 1],
    ],
  );
  assert.deepEqual(
    tally.finds.map(({ seed, event }) => [seed, event]),
    [
      [2, 10],
      [3, 10],
      [4, 10],
    ],
  );
});

test("all failures are counted, and the first of them kept", () => {
  const results = Array.from({ length: 70 }, (_, seed) => world(seed, "Log Matching"));
  const tally = add(add(beginning(0), batchOf(results), 1), batchOf(results), 2);
  assert.equal(tally.failed, 140);
  assert.equal(tally.finds.length, MAX_FINDS);
  assert.equal(words.more(tally.finds.length, tally.failed), "These are the first 100 of 140.");
  assert.equal(words.more(3, 3), "");
});

test("the pace is that of late, and not of a pause", () => {
  const ten = batchOf(Array.from({ length: 10 }, (_, seed) => world(seed)));
  let tally = beginning(0);
  assert.equal(pace(tally, 0), 0);
  for (let now = 500; now <= 10_000; now += 500) tally = add(tally, ten, now);
  assert.equal(pace(tally, 10_000), 20);
  assert.equal(pace(tally, 12_000), 10);
  assert.equal(pace(tally, 60_000), 0);
  tally = add(resumed(tally, 60_000), ten, 60_500);
  assert.equal(pace(tally, 60_500), 20);
  assert.ok(tally.late.length <= 8, "it does not grow with time");
});

/** Workers that keep what they were told. */
function kennel() {
  const hounds = [];
  const hire = () => {
    const hound = {
      orders: [],
      ended: false,
      postMessage: (order) => hound.orders.push(order),
      terminate: () => {
        hound.ended = true;
      },
      /** Has done its latest order. */
      report: (took = 250) => {
        const { first, count } = hound.orders.at(-1);
        const results = Array.from({ length: count }, (_, at) => world(first + at));
        hound.onmessage({ data: { is: "lived", batch: batchOf(results), took } });
      },
    };
    hounds.push(hound);
    return hound;
  };
  return { hounds, hire };
}

function hunting(first = 1) {
  const { hounds, hire } = kennel();
  const lived = [];
  const failures = [];
  const listener = {
    lived: ({ worlds }) => lived.push(worlds),
    failed: (text) => failures.push(text),
  };
  const pack = new Pack(hire, { bug: null, torment: 5, first }, listener);
  const seeds = () =>
    hounds.flatMap(({ orders }) =>
      orders.flatMap(({ first, count }) => Array.from({ length: count }, (_, at) => first + at)),
    );
  const working = () => hounds.filter(({ ended }) => !ended);
  return { pack, hounds, lived, failures, seeds, working };
}

test("each seed is lived once, from the first on, by whoever is free", () => {
  const { pack, hounds, seeds, lived } = hunting(7);
  pack.resize(3);
  for (const at of [0, 0, 2, 1, 0, 2, 2, 1]) hounds[at].report(at === 0 ? 10 : 400);
  const given = seeds().sort((a, b) => a - b);
  assert.deepEqual(
    given,
    Array.from({ length: given.length }, (_, at) => 7 + at),
  );
  assert.equal(lived.length, 8);
  assert.deepEqual(hounds[0].orders[0], { first: 7, count: 1, bug: null, torment: 5 });
});

test("an order is as long as it can be without being noticed", () => {
  assert.equal(nextCount(1, 2_000), 1);
  assert.equal(nextCount(1, 1), 4, "it grows by and by");
  assert.equal(nextCount(10, 250), 10);
  assert.equal(nextCount(100, 2_500), 10);
  assert.equal(nextCount(1_000, 0), 1_000);
});

test("workers come and go; who goes finishes first, and at the end nobody does", () => {
  const { pack, hounds, working, lived } = hunting();
  pack.resize(2);
  pack.resize(4);
  assert.equal(working().length, 4);
  pack.resize(1);
  assert.equal(working().length, 4);
  for (const hound of hounds) hound.report();
  assert.equal(working().length, 1);
  assert.equal(lived.length, 4);
  pack.end();
  assert.equal(working().length, 0);
});

test("a pause lets worlds end, and begins none", () => {
  const { pack, hounds, working } = hunting();
  pack.resize(2);
  pack.pause(true);
  for (const hound of hounds) hound.report();
  const orders = () => hounds.map(({ orders }) => orders.length);
  assert.deepEqual(orders(), [1, 1]);
  pack.resize(3);
  assert.equal(hounds[2].orders.length, 0);
  pack.pause(false);
  assert.deepEqual(orders(), [2, 2, 1]);
  assert.equal(working().length, 3);
});

test("a module that has failed is replaced, and what it left is lived", () => {
  const { pack, hounds, seeds, lived, working } = hunting();
  pack.resize(1);
  hounds[0].report(1);
  const { first, count } = hounds[0].orders.at(-1);
  assert.equal(count, 4);
  const batch = batchOf([world(first), world(first + 1, "An assertion")]);
  hounds[0].onmessage({ data: { is: "spoiled", batch, next: first + 2 } });
  assert.equal(hounds[0].ended, true);
  assert.deepEqual(lived, [1, 2]);
  assert.equal(working().length, 1);
  assert.deepEqual(hounds[1].orders, [{ first: first + 2, count: 2, bug: null, torment: 5 }]);
  hounds[1].report(1);
  assert.equal(hounds[1].orders[1].first, first + 4);
  assert.ok(seeds().length > 0);
});

test("without a module the hunt ends with a sentence", () => {
  const { pack, hounds, failures, working } = hunting();
  pack.resize(2);
  hounds[1].onmessage({ data: { is: "problem", text: "blocked by policy" } });
  assert.deepEqual(failures, ["blocked by policy"]);
  assert.equal(working().length, 0);
});

test("a world that failed and a scene are pointed to by links that the simulator reads", () => {
  const find = { seed: 38, kind: "safety", property: "Log Matching", text: "", event: 6_114 };
  const fragment = (link) => link.slice(link.indexOf("#"));
  const { place } = readLink(fragment(linkToFind(find, "old-half-decides-alone")));
  const { spec, at } = place;
  assert.deepEqual(
    [spec.world, spec.seed, spec.torment, spec.bug, at],
    ["campaign", 38, TORMENT, "old-half-decides-alone", 6_114],
  );
  assert.equal(readLink(fragment(linkToFind(find, null))).place.spec.bug, null);
  const scene = readLink(fragment(linkToScene("lease-never-ends", { reads: "lease", nodes: 3 })));
  assert.deepEqual(scene.place, {
    spec: { ...DEFAULT_SPEC, reads: "lease", nodes: 3, bug: "lease-never-ends" },
    acts: [],
    at: 0,
  });
});

test("what was typed is a seed, or is not", () => {
  const random = () => 0.5;
  assert.equal(seedOf("", random), 2 ** 31);
  assert.equal(seedOf(" 12,345 ", random), 12_345);
  assert.equal(seedOf("9007199254740991"), Number.MAX_SAFE_INTEGER);
  for (const bad of ["9007199254740992", "-1", "1.5", "one", "1e3"])
    assert.equal(seedOf(bad), null);
  assert.deepEqual(
    ["3", "0", "-4", "1000", "", "x"].map((text) => workersOf(text, 2)),
    [3, 1, 1, 64, 2, 2],
  );
});

test("what was found is kept, by hand above all, and nothing that is kept is trusted", () => {
  const kept = new Map();
  const keep = () => ({
    getItem: (key) => kept.get(key) ?? null,
    setItem: (k, v) => kept.set(k, v),
  });
  assert.deepEqual([...readFound(keep)], []);
  noteFound("a", "search", keep);
  noteFound("b", "hand", keep);
  noteFound("a", "hand", keep);
  noteFound("b", "search", keep);
  assert.deepEqual(
    [...readFound(keep)],
    [
      ["a", "hand"],
      ["b", "hand"],
    ],
  );
  for (const text of ["", "null", "[1]", "7", '{"a":true,"b":"hand"}']) {
    const found = readFound(() => ({ getItem: () => text, setItem: () => {} }));
    assert.equal(found.has("a"), false);
  }
  const refused = () => {
    throw new DOMException("no storage here", "SecurityError");
  };
  assert.deepEqual([...readFound(refused)], []);
  assert.deepEqual([...noteFound("a", "hand", refused)], [["a", "hand"]]);
});

test("times and numbers are said by their largest units", () => {
  assert.equal(words.lived(0), "0 s");
  assert.equal(words.lived(61_500_000), "1 min 1 s");
  assert.equal(words.lived(3_600_000_000), "1 h");
  assert.equal(words.lived(90_061_000_000), "1 d 1 h");
  assert.equal(words.perSecond(0), "0");
  assert.equal(words.perSecond(2.345), "2.3");
  assert.equal(words.perSecond(1234.5), "1,235");
});
