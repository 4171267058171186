// The pictures of a cluster: where things stand, what a log looks like, and what is said of it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./load.mjs";

const [geometry, labels, strips, shapes, words] = await Promise.all(
  ["stage/geometry", "stage/labels", "stage/strips", "stage/shapes", "words/stage"].map(load),
);
const { labelPlaces } = labels;
const { along, layoutFor, NARROW, NODE_RADIUS, places, segments, step, WIDE } = geometry;

const box = (x, y, halfWidth, halfHeight) => ({ x, y, halfWidth, halfHeight });
const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

const log = {
  start: 2,
  last: 7,
  persisted: 6,
  commit: 4,
  applied: 3,
  snapshot: 2,
  runs: [
    { first: 1, term: 1 },
    { first: 5, term: 3 },
  ],
  entries: [
    { index: 2, term: 1, text: "old" },
    { index: 7, term: 3, text: "x=1" },
    { index: 8, term: 3, text: "gone" },
  ],
};
const node = (rest = {}) => ({
  id: 2,
  state: "running",
  role: "follower",
  part: "voter",
  term: 3,
  vote: 1,
  leader: 1,
  votes: [],
  timer: null,
  asleep: false,
  peers: [],
  log,
  ...rest,
});

for (const [name, layout] of Object.entries({ WIDE, NARROW })) {
  test(`${name}: up to seven nodes keep clear of each other, of the clients and of the edges`, () => {
    for (let count = 1; count <= 7; count++) {
      const points = places(count, layout);
      assert.equal(points.length, count);
      for (const [at, point] of points.entries()) {
        for (const other of [...points.slice(at + 1), layout.center])
          assert.ok(distance(point, other) > 2 * NODE_RADIUS + 14, `${count}: ${at}`);
        assert.ok(point.x > NODE_RADIUS + 7 && point.x < layout.width - NODE_RADIUS - 7);
        assert.ok(point.y > NODE_RADIUS + 7 && point.y < layout.height - NODE_RADIUS - 7);
      }
    }
  });
}

test("a phone has the narrow layout", () => {
  assert.equal(layoutFor(300), NARROW);
  assert.equal(layoutFor(700), WIDE);
});

test("a message goes from the edge of a node to that of the other, and back another way", () => {
  const [from, to] = [
    { x: 0, y: 0 },
    { x: 300, y: 0 },
  ];
  assert.ok(distance(along(from, to, 0), from) >= NODE_RADIUS);
  assert.ok(distance(along(from, to, 1), to) >= NODE_RADIUS);
  assert.deepEqual(along(from, to, 2), along(from, to, 1));
  assert.ok(distance(along(from, to, 0.5), along(to, from, 0.5)) > 20);
});

test("a message that does not glide stands in the order of its way", () => {
  const steps = [0, 0.4, 0.9].map(step);
  assert.deepEqual(
    steps,
    steps.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(steps).size, 3);
});

test("votes fill segments of the majority, and no more", () => {
  assert.equal(segments(0, 3), "0 3");
  assert.equal(segments(2, 3), "0.86 0.14 0.86 0.14 0 3");
  assert.equal(segments(4, 3), segments(3, 3));
});

test("a cell says what has become of its entry", () => {
  assert.deepEqual(
    strips.cellsOf(log, 2, 7).map(({ index, state, term, text }) => [index, state, term, text]),
    [
      [2, "compacted", 1, ""],
      [3, "committed", 1, ""],
      [4, "committed", 1, ""],
      [5, "persisted", 3, ""],
      [6, "persisted", 3, ""],
      [7, "pending", 3, "x=1"],
      [8, "none", 0, ""],
    ],
  );
});

test("strips end with room for the entry after the newest of all", () => {
  const nodes = [{ log }, { log: { ...log, last: 30 } }];
  assert.equal(strips.firstShown(nodes, 10), 22);
  assert.equal(strips.firstShown([{ log }], 10), 1);
});

test("no two kinds of messages have the same shape, and one with entries is another", () => {
  const all = shapes.KINDS.map((kind) => shapes.shapeOf(kind, 0));
  assert.equal(new Set(all).size, 8);
  assert.notEqual(shapes.shapeOf("append", 2), shapes.shapeOf("append", 0));
});

test("a node in a sentence", () => {
  assert.equal(
    words.describeNode(node()),
    "n2 term 3 follower voted for n1, follows n1. " +
      "Log: 7 entries, 3 not known to be committed, the last of term 3.",
  );
  assert.match(words.describeNode(node({ state: "down" })), /^n2 term 3 down, /);
});

test("votes are counted for those who ask for them", () => {
  assert.equal(words.votes(node(), 2), "");
  assert.equal(words.votes(node({ role: "candidate", votes: [2] }), 2), "1 of 2 votes");
  assert.equal(words.voteText(node({ vote: 2 })), "voted for itself");
  assert.equal(words.voteText(node({ vote: null })), "");
});

test("what is wrong on a link", () => {
  const link = { from: 1, to: 2, cut: false, delay: 0, loss: 0 };
  assert.equal(words.linkLabel({ ...link, cut: true }), "✕");
  assert.equal(words.linkLabel({ ...link, delay: 120, loss: 0.3 }), "−30 % +120 ms");
});

test("a cell in words", () => {
  const said = strips.cellsOf(log, 2, 7).map(words.describeCell);
  assert.equal(said[0], "Entry 2, in the snapshot only");
  assert.equal(said[5], "Entry 7, term 3 x=1, not on disk yet");
  assert.equal(said[6], "No entry 8");
});

test("words stand at the right of what they are said of, or where there is room, or nowhere", () => {
  const mark = { x: 100, y: 100 };
  const place = (...taken) => labelPlaces([mark], [40], taken)[0];
  const right = box(132, 100, 20, 8);
  const left = box(68, 100, 20, 8);
  const above = box(100, 84, 20, 8);
  const below = box(100, 116, 20, 8);
  assert.deepEqual(place(), right);
  assert.deepEqual(place(right), left);
  // What only touches does not meet.
  assert.deepEqual(place(box(160, 100, 8, 8)), right);
  assert.deepEqual(place(box(159, 100, 8, 8)), left);
  assert.deepEqual(place(right, left), above);
  assert.deepEqual(place(right, left, box(100, 80, 20, 4)), below);
  assert.equal(place(right, left, above, below), undefined);
});

test("no words stand on those before them; what has no words or no place has no label", () => {
  const at = { x: 100, y: 100 };
  const places = labelPlaces([at, at, undefined, at, at, at, at], [40, 40, 40, 0, 40, 40, 40], []);
  assert.deepEqual(
    places.map((place) => place && [place.x, place.y]),
    [[132, 100], [68, 100], undefined, undefined, [100, 84], [100, 116], undefined],
  );
});
