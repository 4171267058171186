// The pure parts of the live mode: frames, traffic, pictures, figures, and the console's grammar.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** A module of the page, by itself. */
async function load(name) {
  const { output } = await build({ input: at(`www/src/${name}.ts`), write: false });
  return import(`data:text/javascript,${encodeURIComponent(output[0].code)}`);
}

const [{ describeEntry, readFrame, TAGS }, { Log }, { FLIGHT_MS, Traffic }, { pictureOf }] =
  await Promise.all(["live/wire", "live/tap-log", "live/traffic", "live/picture"].map(load));
const { initial, update } = await load("live/model");
const { follow, quantile } = await load("live/series");
const { Load } = await load("live/load");
const { completions, parse, split } = await load("live/grammar");
const { COMMANDS, help, usage } = await load("words/console");

/** Bytes, as docs/protocol.md spells them: a number above 127 is given as bytes by the test. */
const frame = (kind, ...rest) => Uint8Array.of(2, kind, ...rest);
const messages = (count, ...rest) =>
  frame(1, ...new Uint8Array(16).fill(9), 0, count, ...rest.flat());
const text = (characters) => [...new TextEncoder().encode(characters)];
/** A write: log time, session, sequence, acknowledged, and the command. */
const write = (...command) => [3, 7, 1, 1, 0, ...command];
const put = (key, value) => write(1, key.length, ...text(key), value.length, ...text(value));
const command = (bytes, rises) =>
  rises === undefined
    ? [2 * (1 + bytes.length), ...bytes]
    : [2 * (1 + bytes.length) + 1, rises, ...bytes];
const configuration = [3, 1, 2, 3, 0, 1, 9, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0];

test("all messages of a frame are told apart, whatever they carry", () => {
  const meta = [4, 9, ...configuration];
  const bodies = [
    [TAGS.append, 1, 2, 5, [4, 9, 3, 3, command(put("a", "1")).flat(), 1, 1, 0, 0, 1]],
    [TAGS.snapshotChunk, 1, 2, 5, [...meta, 0, 3, 7, 7, 7]],
    [TAGS.digest, 1, 2, 5, [9, 1, 1, 2, 3, 4, 5, 6, 7, 8]],
    [TAGS.preVote, 2, 3, 6, [4, 9]],
    [TAGS.preVoteGranted, 3, 2, 6, []],
    [TAGS.voteRefused, 3, 2, 6, []],
    [TAGS.appendAccepted, 2, 1, 5, [0xac, 0x02]],
    [TAGS.appendRejected, 2, 1, 5, [9, 4, 8]],
    [TAGS.heartbeat, 1, 2, 5, [9, 1]],
    [TAGS.commitNotice, 1, 2, 5, [9]],
    [TAGS.heartbeatResponse, 2, 1, 5, [1]],
    [TAGS.snapshotInstalled, 2, 1, 5, [9, 9]],
    [TAGS.timeoutNow, 1, 2, 5, []],
    [TAGS.readIndex, 2, 1, 5, [1]],
    [TAGS.readIndexResponse, 1, 2, 5, [1, 9]],
    [TAGS.sleep, 1, 2, 5, [9, 1]],
    [TAGS.sleepResponse, 2, 1, 5, [1]],
  ];
  // The append: three entries, one of which is a no-op and one of which begins a term.
  bodies[0][4] = [4, 9, 3, 3, ...command(put("a", "1")), 1, 1, 0, 0, 1, ...configuration];
  const bytes = messages(
    bodies.length,
    bodies.flatMap(([tag, from, to, term, body]) => [tag, from, to, term, ...body]),
  );
  const entries = [];
  const { kind, heads } = readFrame(bytes, (entry) => entries.push(entry));
  assert.equal(kind, "messages");
  assert.deepEqual(
    heads.map(({ tag, from, to, term }) => [tag, from, to, term]),
    bodies.map((body) => body.slice(0, 4)),
  );
  assert.deepEqual(
    heads.map(({ entries }) => entries).filter((count) => count > 0),
    [3],
  );
  assert.deepEqual(
    entries.map(({ index, term, before, what }) => [index, term, before, describeEntry(what)]),
    [
      [10, 4, 4, "a=1"],
      [11, 5, 4, "no-op"],
      [12, 5, 5, "members"],
    ],
  );
});

test("what is no frame of messages is told apart, and no bytes do harm", () => {
  assert.deepEqual(readFrame(frame(2, 0, 3)), { kind: "requests", count: 3 });
  assert.deepEqual(readFrame(frame(3, 0, 0xac, 0x02)), { kind: "replies", count: 300 });
  assert.deepEqual(readFrame(frame(5)), { kind: "other" });
  assert.deepEqual(readFrame(Uint8Array.of(1, 1)), { kind: "other" });
  assert.deepEqual(readFrame(new Uint8Array()), { kind: "other" });
  // It ends too soon, and promises much.
  const many = [0xff, 0xff, 0xff, 0xff, 0x0f];
  assert.equal(readFrame(messages(1, TAGS.append, 1, 2, 3, 1, 1, 1, many)).kind, "messages");
  assert.equal(readFrame(messages(...many)).kind, "messages");
});

test("entries in a few characters", () => {
  const say = (...bytes) => describeEntry(Uint8Array.from(bytes));
  assert.equal(say(...put("fruit", "apple")), "fruit=apple");
  assert.equal(say(...put("k", "x".repeat(40))), `k=${"x".repeat(12)}…`);
  assert.equal(say(...write(2, 1, ...text("a"))), "delete a");
  assert.equal(say(...write(6, 1, ...text("n"), 2)), "increment n");
  assert.equal(say(...write(7, 1, ...text("a"), 1, 1, ...text("b"), 0, 0)), "a=b");
  assert.equal(say(...write(9, 0)), "txn");
  assert.equal(say(1, 7), "session");
  assert.equal(say(5, 7), "tick");
});

test("entries that go to several nodes are told once, with their terms", () => {
  const log = new Log();
  const what = Uint8Array.from(put("a", "1"));
  for (const [index, term, before] of [
    [5, 2, 1],
    [6, 2, 2],
    [5, 2, 1],
    [6, 2, 2],
    [7, 2, 2],
    [8, 3, 2],
  ])
    log.add({ index, term, before, what });
  const { runs, entries } = log.take();
  assert.deepEqual(runs, [
    { first: 5, last: 7, term: 2, before: 1 },
    { first: 8, last: 8, term: 3, before: 2 },
  ]);
  assert.deepEqual(
    entries.map(({ index, text }) => [index, text]),
    [5, 6, 7, 8].map((index) => [index, "a=1"]),
  );
  assert.deepEqual(log.take(), { runs: [], entries: [] });
});

const sighting = (tag, from, to, more = {}) => ({
  tag,
  from,
  to,
  term: 1,
  entries: 0,
  at: 0,
  ...more,
});
const report = (node, more = {}) => ({
  node,
  counts: [],
  sightings: [],
  runs: [],
  entries: [],
  timer: null,
  ...more,
});
const prompt = () => 0;

test("a message is drawn from its sending on for a while, and as slow as its link is", () => {
  const traffic = new Traffic();
  const sightings = [
    sighting(8, 1, 2, { at: 10_100, entries: 2 }),
    sighting(3, 3, 1, { at: 10_100 }),
  ];
  traffic.take(report(1, { sightings }), 10_000, (from) => (from === 1 ? 500 : 0));
  assert.deepEqual(traffic.flights(100), [], "it has not been told of yet");
  const [append, refusal] = traffic.flights(300);
  assert.deepEqual(
    [append.kind, append.answer, append.refuses, append.entries],
    ["append", false, false, 2],
  );
  assert.deepEqual([refusal.kind, refusal.answer, refusal.refuses], ["preVote", true, true]);
  assert.equal(append.arrivesAt - append.sentAt, FLIGHT_MS + 500);
  assert.equal(refusal.arrivesAt - refusal.sentAt, FLIGHT_MS);
  assert.deepEqual(
    traffic.flights(700).map(({ id }) => id),
    [append.id],
  );
  assert.equal(traffic.isBusy, true);
  assert.deepEqual(traffic.flights(2_000), []);
  assert.equal(traffic.isBusy, false);
});

test("of many messages some are drawn, of rare ones each, and the share is said", () => {
  const traffic = new Traffic();
  // Two seconds of 2,000 messages each, of which all are told of, and some votes at their end.
  for (let at = 0; at < 2_000; at += 50) {
    const sightings = Array.from({ length: 100 }, () => sighting(8, 1, 2, { at }));
    traffic.take(report(1, { counts: [[8, 100]], sightings }), 0, prompt);
    traffic.sampled(at);
    traffic.flights(at);
  }
  const votes = [sighting(4, 1, 2, { at: 2_000 }), sighting(4, 1, 3, { at: 2_000 })];
  traffic.take(report(1, { counts: [[4, 2]], sightings: votes }), 0, prompt);
  const flights = traffic.flights(2_080);
  const drawn = flights.filter(({ kind }) => kind === "append").length;
  assert.ok(drawn > 100 && drawn <= 200, String(drawn));
  assert.equal(flights.filter(({ kind }) => kind === "vote").length, 2);
  // 840 are under way at a time, and 160 are to be drawn.
  const share = traffic.sampled(2_000);
  assert.ok(share >= 5 && share <= 6, String(share));
});

test("what share of messages is told of is said, for the last second", () => {
  const traffic = new Traffic();
  assert.equal(traffic.sampled(0), 1);
  const sightings = [sighting(8, 1, 2, { at: 500 })];
  traffic.take(report(1, { counts: [[8, 12]], sightings }), 0, prompt);
  assert.equal(traffic.sampled(600), 12);
  assert.equal(traffic.sampled(1_600), 1);
  assert.equal(traffic.count(8, [1]), 12);
  traffic.take(report(1, { counts: [[8, 3]] }), 0, prompt);
  assert.equal(traffic.count(8, [1, 2]), 15);
  traffic.forget(1);
  assert.equal(traffic.count(8, [1, 2]), 0, "it counts from zero, as the node does");
});

test("terms are known from where their entries begin on", () => {
  const traffic = new Traffic();
  const run = (first, last, term, before) => ({ first, last, term, before });
  const runs = (...args) => traffic.runs(...args).map(({ first, term }) => [first, term]);
  assert.deepEqual(runs(0, 0, 0), []);
  assert.deepEqual(runs(0, 5, 2), [
    [1, 0],
    [5, 2],
  ]);
  traffic.take(report(1, { runs: [run(4, 6, 3, 2), run(1, 3, 2, 0)] }), 0, prompt);
  assert.deepEqual(runs(0, 6, 3), [
    [1, 2],
    [4, 3],
  ]);
  assert.deepEqual(runs(4, 6, 3), [[5, 3]], "what is in the snapshot is gone");
  assert.deepEqual(runs(0, 3, 2), [[1, 2]], "one that stayed behind");
  traffic.take(report(1, { runs: [run(9, 9, 5, 4)] }), 0, prompt);
  assert.deepEqual(runs(0, 9, 5), [
    [1, 0],
    [8, 4],
    [9, 5],
  ]);
  const entry = (index, term, text) => ({ index, term, text });
  traffic.take(report(1, { entries: [entry(3, 2, "a=1"), entry(4, 3, "no-op")] }), 0, prompt);
  const entries = (last, term) =>
    traffic.entries(traffic.runs(0, last, term), last, 24).map(({ index, text }) => [index, text]);
  assert.deepEqual(entries(6, 3), [
    [3, "a=1"],
    [4, "no-op"],
  ]);
  // The same place in another term is another entry.
  assert.deepEqual(entries(4, 2), [[3, "a=1"]]);
});

test("votes count for the campaign that they are for", () => {
  const traffic = new Traffic();
  const hear = (...sightings) => traffic.take(report(1, { sightings }), 0, prompt);
  hear(
    sighting(1, 1, 2, { term: 2 }),
    sighting(2, 2, 1, { term: 2 }),
    sighting(3, 3, 1, { term: 2 }),
  );
  assert.deepEqual(traffic.votes(1, "preVote"), [1, 2]);
  assert.deepEqual(traffic.votes(1, "vote"), []);
  hear(
    sighting(4, 1, 2, { term: 2 }),
    sighting(6, 2, 1, { term: 2 }),
    sighting(6, 2, 1, { term: 2 }),
  );
  assert.deepEqual(traffic.votes(1, "vote"), [1, 2]);
  hear(sighting(4, 1, 2, { term: 3 }), sighting(6, 3, 1, { term: 2 }));
  assert.deepEqual(traffic.votes(1, "vote"), [1], "a vote of an earlier term is none");
});

const status = (id, more) => ({
  id,
  role: "follower",
  term: 3,
  vote: null,
  leader: 1,
  commit: 6,
  applied: 6,
  last: 6,
  lastTerm: 3,
  persisted: 6,
  logStart: 0,
  snapshot: 0,
  peers: [],
  ...more,
});
const seen = (rules = []) => {
  const nodes = [
    status(1, { role: "leader", peers: [{ id: 2, matched: 6, next: 7, mode: "replicate" }] }),
    status(2),
    status(3),
  ];
  const members = nodes.map(({ id }) => ({ id, voter: true, joining: false, leaving: false }));
  const views = nodes.map((status) => ({
    id: status.id,
    state: "running",
    reason: undefined,
    status,
  }));
  return {
    type: "status",
    status: { name: "t", nodes: views, leader: 1, term: 3, commit: 6, members, rules },
  };
};

test("the picture is what the nodes say, and what was seen of them", () => {
  const traffic = new Traffic();
  traffic.take(report(1, { timer: { from: 0, to: 400 } }), 0, prompt);
  traffic.take(report(2, { timer: { from: 100, to: 500 } }), 0, prompt);
  const rules = [
    { from: 1, to: 2, cut: false, drop: 1, delay: 0, jitter: 0 },
    { from: 2, to: 1, cut: false, drop: 0.5, delay: 300, jitter: 0 },
  ];
  let model = update(initial, seen(rules));
  model = update(model, { type: "frozen", node: 3, frozen: true });
  const picture = pictureOf(model, traffic, 200);
  const [leader, follower, frozen] = picture.nodes;
  assert.deepEqual([leader.role, leader.timer, leader.peers.length], ["leader", null, 1]);
  assert.deepEqual([follower.timer, follower.leader], [{ from: 100, to: 500 }, 1]);
  assert.equal(frozen.state, "paused", "its clock goes on");
  assert.deepEqual(picture.links, [
    { from: 1, to: 2, cut: true, delay: 0, loss: 1 },
    { from: 2, to: 1, cut: false, delay: 300, loss: 0.5 },
  ]);
  // What is as it was is the same object: it need not be drawn again.
  const again = update(model, seen(rules));
  const next = pictureOf(again, traffic, 216, { model, picture });
  assert.equal(next.nodes[0], picture.nodes[0]);
  assert.equal(next.links, picture.links);
  const entries = [{ index: 6, term: 3, text: "a=1" }];
  traffic.take(report(2, { timer: { from: 150, to: 550 }, entries }), 0, prompt);
  const later = pictureOf(again, traffic, 232, { model: again, picture: next });
  assert.notEqual(later.nodes[1], next.nodes[1]);
  assert.deepEqual(later.nodes[1].timer, { from: 150, to: 550 });
  assert.equal(later.nodes[1].log, next.nodes[1].log);
  // What an entry holds is shown when the node tells of its log the next time.
  const last = update(again, seen(rules));
  const told = pictureOf(last, traffic, 248, { model: again, picture: later });
  assert.deepEqual(told.nodes[1].log.entries, entries);
});

test("a node that was killed is not frozen when it runs again", () => {
  let model = update(update(initial, seen()), { type: "frozen", node: 3, frozen: true });
  const states = () => model.nodes.map(({ frozen }) => frozen);
  model = update(model, seen());
  assert.deepEqual(states(), [false, false, true]);
  const killed = seen();
  killed.status.nodes[2].state = "killed";
  model = update(update(model, killed), seen());
  assert.deepEqual(states(), [false, false, false]);
});

const bounds = [0.001, 0.002, 0.004];

test("quantiles of a histogram", () => {
  const of = (counts, share) => quantile({ bounds, counts }, share);
  assert.equal(of([0, 0, 0, 0], 0.5), null);
  assert.equal(of([10, 0, 0, 0], 0.5), 0.0005);
  assert.equal(of([5, 5, 0, 0], 0.5), 0.001);
  assert.equal(of([0, 0, 10, 0], 0.5), 0.003);
  assert.equal(of([0, 0, 0, 10], 0.99), 0.004, "of what is above the last bound no more is known");
});

test("figures are of what happened between two looks, whoever began anew", () => {
  const metrics = (count, sent) => ({
    commit: { bounds, counts: [count, 0, 0, 0], sum: 0, count },
    messages: { sent: { append: sent, heartbeat: 1 } },
  });
  const look = (time, ...nodes) => ({
    time,
    nodes: nodes.map(([id, starts, metrics]) => ({ id, starts, metrics })),
    totals: { commit: { bounds } },
  });
  const first = look(1_000, [1, 1, metrics(10, 100)], [2, 1, metrics(5, 50)]);
  assert.deepEqual(follow([], undefined, first), []);
  const second = look(3_000, [1, 1, metrics(30, 160)], [2, 2, metrics(4, 8)], [3, 1, null]);
  const [point] = follow([], first, second);
  assert.deepEqual([point.at, point.writes, point.messages], [3, 12, (60 + 9) / 2]);
  assert.deepEqual([point.p50, point.p99], [0.5, 0.99]);
  const [quiet] = follow([], second, { ...second, time: 4_000 });
  assert.deepEqual([quiet.writes, quiet.messages, quiet.p50], [0, 0, null]);
});

test("a load writes as many as are due, never too many at once, and counts what came of them", async () => {
  const open = [];
  const load = new Load((number) => new Promise((yes, no) => open.push([number, yes, no])));
  load.run(Number.POSITIVE_INFINITY);
  assert.equal(open.length, 256, "it waits for answers");
  assert.deepEqual([open[0][0], open[255][0]], [1, 256]);
  open[0][1]();
  open[1][2](new Error("full"));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(open.length, 258);
  assert.deepEqual([load.counts.done, load.counts.failed], [1, 1]);
  assert.equal(load.counts.error.message, "full");
  load.run(0);
  open[2][1]();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([open.length, load.counts.done], [258, 2]);
});

test("words of a line", () => {
  assert.deepEqual(split("put  a b"), ["put", "a", "b"]);
  assert.deepEqual(split(`put 'a b' "c \\"d\\"" ''`), ["put", "a b", 'c "d"', ""]);
  assert.deepEqual(split("   "), []);
  assert.equal(split("put 'a b"), null);
  assert.equal(split(`put "a`), null);
});

test("a line is a command, nothing, or wrong with a reason", () => {
  const typed = (line) => {
    const { name, args, options } = parse(line);
    return [name, args, Object.fromEntries(options)];
  };
  assert.deepEqual(typed("put a 'b c'"), ["put", ["a", "b c"], {}]);
  assert.deepEqual(typed("member add"), ["member add", [], {}]);
  assert.deepEqual(typed("get a --rev 3"), ["get", ["a"], { rev: "3" }]);
  assert.deepEqual(typed("lock --try deploy"), ["lock", ["deploy"], { try: "" }]);
  assert.deepEqual(typed("incr n -1"), ["incr", ["n", "-1"], {}]);
  assert.equal(parse(""), null);
  assert.equal(parse("# a comment"), null);
  for (const [line, reason] of [
    ["sing", /no command sing/],
    ["constructor", /no command constructor/],
    ["member", /member list, member add, member remove/],
    ["member sing", /member what/],
    ["put a", /put takes KEY VALUE/],
    ["heal all", /heal takes nothing/],
    ["get a --force", /get has no --force/],
    ["get a --rev", /--rev needs its N/],
    ["put 'a", /has no end/],
  ])
    assert.match(parse(line).wrong, reason, line);
});

test("names are completed", () => {
  assert.deepEqual(completions("un"), ["unwatch", "unlock"]);
  assert.deepEqual(completions("member r"), ["member remove"]);
  assert.deepEqual(completions("put"), []);
  assert.deepEqual(completions(""), []);
});

test("help tells of every command, in words that end", () => {
  assert.equal(help().length, Object.keys(COMMANDS).length);
  assert.deepEqual(help("lock"), [
    "lock NAME [--try]: waits for a lock, takes it, and holds it until you unlock",
  ]);
  assert.equal(usage("watch"), "watch [KEY] [--prefix PREFIX] [--from N]");
});
