// The simulator that pages load: the same world twice, whichever way one comes to a moment, and sentences for what cannot be.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";

import { buildSim } from "../../scripts/build-sim.mjs";
import { at } from "../../scripts/lib/run.mjs";
import { load } from "../www/load.mjs";
import { simulator, theatre } from "./theatre.mjs";

const { DEFAULT_SPEC } = await load("sim/spec");
const { explain } = await load("words/why");
const END = Number.MAX_SAFE_INTEGER;
const busy = { ...DEFAULT_SPEC, clients: 3, think: 50, faults: 800, snapshotEntries: 20 };
/** The same without faults that come by themselves, which may be in the way of what is done. */
const calm = { ...busy, faults: 0 };

let sim;

before(async () => {
  await buildSim({ quiet: true });
  sim = await simulator("sim");
});

/** Acts of all kinds, with the moments of a world of five nodes at which they are possible. */
const acts = [
  [200, { do: "crash", node: 2 }],
  [230, { do: "call", client: 1, op: "put", key: "k", value: "1", timeout: 900 }],
  [260, { do: "start", node: 2 }],
  [300, { do: "cut", from: 1, to: 3 }],
  [301, { do: "slow", from: 1, to: 4, ms: 70 }],
  [302, { do: "lossy", from: 2, to: 4, loss: 0.5 }],
  [350, { do: "pause", node: 4 }],
  [420, { do: "resume", node: 4 }],
  [430, { do: "freeze", node: 5 }],
  [500, { do: "thaw", node: 5 }],
  [520, { do: "mend", from: 1, to: 3 }],
  [560, { do: "heal" }],
  [600, { do: "call", client: 2, op: "cas", key: "k", value: "2", expected: "1", timeout: 900 }],
];

/** A world with these acts, as far as `count`: all that was told of it. */
function live(spec, count, placed = [], piece = 97) {
  const stage = new sim.Stage(spec);
  const chunks = [];
  let done = 0;
  const to = (event) => {
    while (done < event) {
      const chunk = stage.advance(Math.min(piece, event - done), END);
      chunks.push(chunk);
      if (chunk.count === done) break;
      done = chunk.count;
    }
  };
  for (const [after, act] of placed) {
    to(after);
    chunks.push(stage.act(act));
    done += 1;
  }
  to(count);
  stage.free();
  const all = (name) => chunks.flatMap((chunk) => chunk[name]);
  return {
    end: chunks.at(-1),
    events: all("events"),
    nodes: all("nodes"),
    flights: all("flights"),
    landings: all("landings"),
    operations: all("operations"),
    links: all("links"),
  };
}

test("a world is the same twice, and in pieces of any size", () => {
  const names = ["events", "nodes", "flights", "landings", "operations", "links"];
  const worlds = [1, 2, 3].flatMap((seed) => [
    [{ ...calm, seed }, acts],
    [{ ...busy, seed }, []],
  ]);
  for (const [spec, placed] of worlds) {
    const whole = live(spec, 3_000, placed, 50_000);
    assert.ok(whole.events.length > 2_000);
    for (const piece of [50_000, 97, 1_000]) {
      const again = live(spec, 3_000, placed, piece);
      for (const name of names) assert.deepEqual(again[name], whole[name], name);
      assert.equal(again.end.hash, whole.end.hash);
    }
  }
  assert.notEqual(live(busy, 500).end.hash, live({ ...busy, seed: 2 }, 500).end.hash);
  assert.notEqual(live(calm, 500).end.hash, live(calm, 500, [[100, { do: "heal" }]]).end.hash);
});

test("who skips to a moment comes to the same one", () => {
  const stage = new sim.Stage(busy);
  stage.skip(1_000);
  const chunk = stage.advance(500, END);
  assert.equal(chunk.hash, live(busy, 1_500).end.hash);
});

test("a theatre goes back, and another future begins there", async () => {
  const one = theatre();
  await one.open(calm, [], 800);
  const { film } = one;
  const then = JSON.stringify(film.picture(film.momentOf(400)));
  await one.act({ do: "crash", node: 3 }, 400);
  assert.equal(film.end.event, 401);
  assert.equal(film.node(3, 401).state, "down");
  assert.equal(JSON.stringify(film.picture(film.momentOf(400))), then, "the past is as it was");
  await one.live(film.end.at + 500_000);
  const forked = film.hash;
  const count = film.end.event;
  // Whoever gets the link sees the same.
  const other = theatre();
  await other.open(calm, one.acts, count);
  assert.equal(other.film.hash, forked);
  // What cannot be done leaves the world as it is.
  await assert.rejects(one.act({ do: "crash", node: 3 }, 450), { message: "n3 does not run" });
  await assert.rejects(one.act({ do: "start", node: 1 }, 420), /runs already/);
  await one.live(film.end.at + 500_000);
  await other.open(calm, one.acts, film.end.event);
  assert.equal(other.film.hash, film.hash);
});

test("a message under way can be lost, or arrive at once", async () => {
  const one = theatre();
  await one.open({ ...DEFAULT_SPEC, clients: 0 }, [], 12);
  const { film } = one;
  const flights = () => film.picture(film.momentOf(film.end.event)).flights;
  const [first, second] = flights();
  await one.act({ do: "lose", flight: first.id }, film.end.event);
  assert.equal(film.landing(first.id).fate, "lost");
  await one.act({ do: "deliver", flight: second.id }, film.end.event);
  assert.equal(film.landing(second.id).fate, "arrived");
  assert.ok(!flights().some(({ id }) => id === first.id || id === second.id));
  await assert.rejects(one.act({ do: "lose", flight: first.id }, film.end.event), /not under way/);
});

test("a scene in which nothing would happen any more goes on with what is done to it", () => {
  const stage = new sim.Stage({ ...DEFAULT_SPEC, clients: 0, nodes: 3 });
  stage.skip(60);
  for (const node of [1, 2, 3]) stage.act({ do: "crash", node });
  assert.equal(stage.advance(1_000, END).ended, true);
  for (const node of [1, 2, 3]) assert.equal(stage.act({ do: "start", node }).ended, false);
  const { nodes } = stage.advance(100, END);
  assert.ok(nodes.some(({ node }) => node.role === "leader"));
});

test("who leads is said to have a majority, and a hand-over is no time that ran out", async () => {
  for (const nodes of [1, 3, 4, 5, 7]) {
    const { events } = live({ ...DEFAULT_SPEC, clients: 0, nodes }, 200);
    const { why } = events.find(({ why }) => why?.reason === "becameLeader");
    assert.ok(why.facts.votes > nodes / 2, `${why.facts.votes} of ${nodes}`);
  }
  const one = theatre();
  await one.open({ ...DEFAULT_SPEC, clients: 0, nodes: 3 }, [], 100);
  const { film } = one;
  const next = film.picture(film.end).nodes.find(({ role }) => role === "follower").id;
  await one.act({ do: "transfer", node: next }, film.end.event);
  const before = film.end.event;
  await one.live(film.end.at + 200_000);
  const handed = film.rows.filter(({ event, node }) => event > before && node === next);
  assert.ok(handed.some(({ text }) => /TimeoutNow/.test(text)));
  assert.ok(
    !handed.some(({ text, why }) => /TimeoutNow/.test(text) && why?.reason === "termLearned"),
  );
});

test("what clients write is checked by the store's own rules", async () => {
  const calls = [
    ["put", "key/1", "1"],
    ["get", "key/01"],
    ["put", "x", "007"],
    ["increment", "x", "1"],
    ["put", "y", "-0"],
    ["increment", "y", "1"],
  ];
  const stage = new sim.Stage({ ...DEFAULT_SPEC, clients: 0 });
  stage.skip(100);
  for (const [op, key, value] of calls) {
    const call = { do: "call", client: 1, op, key, timeout: 5_000 };
    stage.act(value === undefined ? call : { ...call, value });
    stage.skip(80);
  }
  assert.equal(stage.judge(), null);
});

test("what happened has reasons, and each has a sentence with its section", () => {
  const seen = new Map();
  for (let seed = 1; seed <= 12; seed += 1) {
    for (const { why } of live({ ...busy, seed, snapshotEntries: 5, faults: 300 }, 3_000).events)
      if (why !== null) seen.set(why.reason, why);
  }
  for (const reason of [
    "preVoteGranted",
    "preVoteRefusedLeader",
    "voteGranted",
    "becameLeader",
    "electionTimedOut",
    "steppedDown",
    "appendAccepted",
    "appendRejectedPrev",
    "waitsForDisk",
    "committed",
    "termLearned",
    "snapshotInstalled",
    "messageStale",
  ])
    assert.ok(seen.has(reason), `nobody saw ${reason}`);
  for (const why of seen.values()) {
    const { text, section } = explain(why);
    assert.match(text, /\.$/, why.reason);
    assert.doesNotMatch(text, /undefined|NaN/, why.reason);
    assert.match(section, /§|Figure/, why.reason);
  }
});

test("calls have a moment at which they took effect, between their beginning and their end", () => {
  const { operations, end } = live({ ...busy, faults: 0 }, 4_000);
  const last = new Map(operations.map((operation) => [operation.id, operation]));
  const answered = [...last.values()].filter(({ state }) => state === "answered");
  assert.ok(answered.length > 100);
  for (const { calledAt, endedAt, point, text } of answered)
    assert.ok(calledAt <= point && point <= endedAt, text);
  assert.equal(end.failure, null);
  const stage = new sim.Stage({ ...busy, faults: 0 });
  stage.skip(4_000);
  assert.equal(stage.judge(), null);
});

test("a campaign is the world that a hunt lives", () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const found = sim.hunt(seed, 2_000, undefined);
    const { end } = live(
      { ...DEFAULT_SPEC, seed, world: "campaign", torment: 2_000 },
      found.events,
      [],
      50_000,
    );
    assert.deepEqual([end.count, end.ended, end.failure], [found.events, true, null]);
    assert.equal(found.failure, null);
  }
});

test("what makes no sense is refused in a sentence, and nothing else happens", () => {
  const bad = [
    [{ seed: -1 }, /seed is a whole number/],
    [{ seed: 0.5 }, /seed is a whole number/],
    [{ nodes: 0 }, /nodes is a whole number from 1 to 7/],
    [{ nodes: 8 }, /nodes/],
    [{ clients: 9 }, /clients/],
    [{ election: 100, heartbeat: 60 }, /heartbeat is at most half/],
    [{ loss: 1_001 }, /loss/],
    [{ world: "moon" }, /a scene, a campaign, shards or a job/],
    [{ reads: "nobody" }, /reads are by/],
    [{ bug: "none-such" }, /no bug named/],
    [{ nodes: "5" }, /./],
  ];
  for (const [other, sentence] of bad)
    assert.throws(() => new sim.Stage({ ...DEFAULT_SPEC, ...other }), { message: sentence });
  const stage = new sim.Stage(DEFAULT_SPEC);
  stage.skip(100);
  const call = { do: "call", client: 1, op: "put", key: "x", value: "1", timeout: 100 };
  const acts = [
    [{ do: "explode" }, /nobody can "explode"/],
    [{ do: "crash", node: 6 }, /node is a whole number from 1 to 5/],
    [{ do: "cut", from: 1, to: 1 }, /two ends/],
    [{ do: "lossy", from: 1, to: 2, loss: 2 }, /from 0 to 1/],
    [{ ...call, key: "" }, /1 to 64 bytes/],
    [{ ...call, key: "é".repeat(33) }, /1 to 64 bytes/],
    [{ ...call, value: "x".repeat(257) }, /256 bytes/],
    [{ ...call, op: "increment", value: "one" }, /whole number/],
    [{ ...call, client: 10 }, /client/],
    [{ ...call, timeout: 0 }, /timeout/],
    [{ do: "lose", flight: 1e9 }, /not under way/],
    [{ do: "resume", node: 1 }, /does not stand still/],
  ];
  const campaign = new sim.Stage({ ...DEFAULT_SPEC, seed: 1, world: "campaign", torment: 500 });
  campaign.skip(50);
  assert.throws(() => campaign.act({ do: "crash", node: 7 }), { message: /there is no n7/ });
  const lease = new sim.Stage({ ...DEFAULT_SPEC, reads: "lease" });
  lease.skip(100);
  assert.throws(() => lease.act({ do: "timeout", node: 1 }), { message: /leases rest on clocks/ });
  const asked = new sim.Stage({ ...DEFAULT_SPEC, clients: 0 });
  for (let calls = 0; calls < 100; calls += 1) asked.act(call);
  assert.throws(() => asked.act(call), { message: /100 calls open/ });
  for (const [act, sentence] of acts)
    assert.throws(() => stage.act(act), { message: sentence }, act.do);
  assert.throws(() => stage.advance(50_001, END), /events/);
  assert.throws(() => stage.advance(-1, END), /events/);
  assert.equal(stage.advance(100, END).hash, live(DEFAULT_SPEC, 200).end.hash);
});

test("all that can be broken in a world is among its lights", () => {
  const sources = (folder, except) =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      if (except.includes(entry.name)) return [];
      const path = join(folder, entry.name);
      return entry.isDirectory() ? sources(path, except) : [path];
    });
  const names = (...files) =>
    files.flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(/\b(?:Violation::new|violation)\(\s*"([^"]+)"/g)].map(
        ([, name]) => name,
      ),
    );
  const root = at("crate", "sim", "src");
  const cluster = sources(join(root, "cluster"), []);
  const shards = ["scene.rs", "cluster.rs", "places.rs"].map((name) => join(root, "shards", name));
  for (const [world, files] of [
    ["scene", sources(root, ["shards", "job", "bin"])],
    ["shards", [...cluster, ...shards]],
    ["job", [...cluster, ...sources(join(root, "job"), [])]],
  ]) {
    const lights = new Set(sim.properties(world));
    assert.deepEqual(
      names(...files).filter((name) => !lights.has(name) && name !== "What left is deleted"),
      [],
      world,
    );
  }
});
