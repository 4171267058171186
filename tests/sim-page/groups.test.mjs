// Scenes of more than one group, and of a job: they live alike every time, keep what they promise, and refuse what makes no sense.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { at } from "../../scripts/lib/run.mjs";
import { load } from "../www/load.mjs";
import { simulator, theatre } from "./theatre.mjs";

const { DEFAULT_SPEC } = await load("sim/spec");
const { Director } = await load("lessons/director");
const sim = await simulator("sim");

const spec = (world, other = {}) => ({
  ...DEFAULT_SPEC,
  world,
  nodes: 3,
  clients: 0,
  delay: 15,
  ...other,
});
const SECOND = 1_000_000;
const call = (op, key, value, client = 1) => ({
  do: "call",
  client,
  op,
  key,
  timeout: 20_000,
  ...(value === undefined ? {} : { value }),
});

/** A world in which some things are done, each at its time, told in chunks of so many events: all rows. */
function lived(what, acts, seconds, events) {
  const stage = new sim.Stage(what);
  const chunks = [];
  for (const [time, act] of [...acts, [seconds, null]]) {
    for (let before = -1; ; ) {
      const chunk = stage.advance(events, time * SECOND);
      chunks.push(chunk);
      if (chunk.at >= time * SECOND || chunk.count === before) break;
      before = chunk.count;
    }
    if (act !== null) chunks.push(stage.act(act));
  }
  const rows = (name) => chunks.flatMap((chunk) => chunk[name]);
  const names = ["events", "nodes", "flights", "landings", "operations", "links", "boards"];
  const last = chunks.at(-1);
  return {
    ...Object.fromEntries(names.map((name) => [name, rows(name)])),
    hash: last.hash,
    failure: last.failure,
    judged: stage.judge(),
  };
}

const SHARDS = [
  [1, call("put", "a", "1")],
  [1.2, call("append", "b", "2", 2)],
  [1.5, { do: "join", group: 2 }],
  [1.7, call("append", "a", "3", 3)],
  [3, { do: "crash", node: 22 }],
  [4, { do: "leave", group: 1 }],
  [4.1, call("append", "b", "4")],
  [7, { do: "start", node: 22 }],
  [8, call("get", "a")],
  [8.1, call("get", "b", undefined, 2)],
];
const JOB = [
  [1, { do: "submit" }],
  [1.6, { do: "kill", worker: 2 }],
  [1.8, { do: "crash", node: 1 }],
  [2, { do: "hire" }],
  [2.5, { do: "tire", worker: 1 }],
  [4, { do: "start", node: 1 }],
];

for (const [world, acts, seconds] of [
  ["shards", SHARDS, 10],
  ["job", JOB, 25],
]) {
  test(`${world}: the same seed and acts give the same world, however it is told`, () => {
    const one = lived(spec(world), acts, seconds, 10_000);
    assert.deepEqual(lived(spec(world), acts, seconds, 7), one);
    assert.equal(one.failure, null);
    const other = lived(spec(world, { seed: 2 }), acts, seconds, 10_000);
    assert.notEqual(other.hash, one.hash);
    // Messages have numbers that are counted through, and each ends once.
    assert.deepEqual(
      one.flights.map(({ id }) => id),
      one.flights.map((_, place) => place + 1),
    );
    const landed = one.landings.map(({ flight }) => flight);
    assert.equal(new Set(landed).size, landed.length);
    assert.ok(landed.every((id) => id <= one.flights.length));
  });
}

test("shards: whatever moves and crashes, each shard ends at its owner, and clients saw one store", () => {
  const { boards, operations, judged } = lived(spec("shards"), SHARDS, 12, 10_000);
  const [, first, second] = boards.at(-1).board.groups;
  assert.deepEqual(boards.at(-1).board.owners, [2, 2, 2, 2]);
  assert.deepEqual(first.places, []);
  assert.deepEqual(
    second.places.map(({ shard, stand }) => [shard, stand]),
    [0, 1, 2, 3].map((shard) => [shard, "serving"]),
  );
  const stood = new Set(
    boards.flatMap(({ board }) =>
      board.groups.flatMap(({ places }) => places.map(({ stand }) => stand)),
    ),
  );
  assert.deepEqual([...stood].sort(), ["arriving", "frozen", "leaving", "serving"]);
  const last = new Map(operations.map((operation) => [operation.id, operation]));
  assert.deepEqual(
    [...last.values()].map(({ state }) => state),
    SHARDS.filter(([, act]) => act.do === "call").map(() => "answered"),
  );
  assert.deepEqual(
    [...last.values()].slice(-2).map(({ answer }) => answer),
    ["13", "24"],
  );
  assert.equal(judged, null);
});

test("job: whoever dies, the counts are those of the whole text", () => {
  const source = readFileSync(at("crate", "sim", "src", "job", "text.rs"), "utf8");
  const [, lines] = source.match(/LINES: \[&str; \d+\] = \[([^\]]*)\]/);
  const counts = new Map();
  for (const word of lines.match(/"[^"]*"/g).flatMap((line) => line.slice(1, -1).split(" ")))
    counts.set(word, (counts.get(word) ?? 0) + 1);
  const { boards } = lived(spec("job"), JOB, 25, 10_000);
  const { board } = boards.at(-1);
  assert.equal(board.phase, "completed");
  assert.deepEqual(new Map(board.result), counts);
  assert.ok(counts.size > 10);
  assert.deepEqual(
    board.workers.map(({ id, state }) => [id, state]),
    [
      [1, "home"],
      [2, "dead"],
      [3, "home"],
      [4, "home"],
    ],
  );
  for (const { attempts } of board.tasks)
    assert.equal(attempts.filter(({ state }) => state === "won").length, 1);
  assert.ok(board.tasks.some(({ attempts }) => attempts.some(({ state }) => state === "ended")));
});

test("an act in the past begins another future, as in all worlds", async () => {
  const scene = new Director(theatre());
  await scene.open(spec("shards"));
  await scene.pass(1_500);
  await scene.act({ do: "join", group: 2 });
  await scene.pass(3_000);
  const { hash, end } = scene.film;
  const before = scene.film.board(end.event);
  scene.say("here");
  await scene.crash(21);
  await scene.pass(500);
  assert.notEqual(scene.film.hash, hash);
  // And back: the board is what it was, and the nodes are.
  assert.deepEqual(scene.film.board(end.event), before);
  assert.equal(scene.picture.nodes.find(({ id }) => id === 21).state, "down");
  scene.back("here");
  assert.equal(scene.picture.nodes.find(({ id }) => id === 21).state, "running");
});

test("what makes no sense is refused in a sentence, and changes nothing", () => {
  const bad = [
    ["shards", { do: "crash", node: 4 }, /no n4/],
    ["shards", { do: "start", node: 11 }, /runs already/],
    ["shards", { do: "join", group: 3 }, /group is a whole number from 1 to 2/],
    ["shards", { do: "pause", node: 11 }, /here nodes crash/],
    ["shards", { do: "kill", worker: 1 }, /here nodes crash/],
    ["job", { do: "kill", worker: 9 }, /worker is a whole number from 1 to 8/],
    ["job", { do: "kill", worker: 4 }, /not at work/],
    ["job", { do: "join", group: 1 }, /here coordinators/],
    ["job", call("get", "x"), /here coordinators/],
    ["scene", { do: "join", group: 1 }, /no groups/],
    ["scene", { do: "hire" }, /no workers/],
  ];
  for (const [world, act, message] of bad) {
    const stage = new sim.Stage(spec(world));
    const { hash } = stage.advance(200, SECOND);
    assert.throws(() => stage.act(act), { message }, `${world}: ${act.do}`);
    assert.equal(stage.advance(0, SECOND).hash, hash);
  }
  assert.throws(() => new sim.Stage(spec("shards", { nodes: 4 })), {
    message: /nodes of a group is a whole number from 1 to 3/,
  });
  const stage = new sim.Stage(spec("job"));
  stage.act({ do: "submit" });
  assert.throws(() => stage.act({ do: "submit" }), { message: /there already/ });
  for (let workers = 3; workers < 8; workers += 1) stage.act({ do: "hire" });
  assert.throws(() => stage.act({ do: "hire" }), { message: /8 workers/ });
});
