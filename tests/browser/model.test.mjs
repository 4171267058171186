// The page's pure parts: what each thing that happens changes, how a log is drawn, and what is said.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** A module of the page, by itself. */
async function load(name) {
  const { output } = await build({ input: at(`www/src/${name}.ts`), write: false });
  return import(`data:text/javascript,${encodeURIComponent(output[0].code)}`);
}

const [
  { initial, isQuorumLost, MAX_HAPPENINGS, troubleOf, update },
  { cellsOf, firstShown },
  { describeLog },
] = await Promise.all([load("live/model"), load("stage/strips"), load("words/stage")]);
const { bytes, clock, nodeList, shorten } = await load("words/common");
const { advice, news, sentences, standing, standingOut, summary, warning } =
  await load("words/live");

const apply = (...actions) => actions.reduce(update, initial);
const node = (id, state = "running", status = null) => ({ id, state, reason: undefined, status });
const three = (...states) => states.map((state, at) => node(at + 1, state));
const picture = (nodes, rest = {}) => ({
  type: "status",
  status: {
    name: "t",
    nodes,
    leader: null,
    term: 0,
    commit: 0,
    rules: [],
    members: nodes.map(({ id }) => voter(id)),
    ...rest,
  },
});
const voter = (id) => ({ id, voter: true, joining: false, leaving: false });
const joining = (id) => ({ ...voter(id), voter: false, joining: true });
const members = (...members) => ({ type: "members", members });
const amnesia = (node) => ({ type: "amnesia", node });
const link = (from, to) => ({ from, to, cut: true, drop: 0, delay: 0, jitter: 0 });
const apart = (...ids) =>
  ids.flatMap((id) =>
    [1, 2, 3]
      .filter((other) => other !== id)
      .flatMap((other) => [link(id, other), link(other, id)]),
  );

test("there are three nodes from the beginning", () => {
  assert.deepEqual(
    initial.nodes.map(({ id, state }) => [id, state]),
    [1, 2, 3].map((id) => [id, "starting"]),
  );
});

test("a node is cut off when it reaches nobody, and only then", () => {
  const cut = (rules) =>
    apply(picture(three("running", "running", "running"), { rules }))
      .nodes.filter(({ isCut }) => isCut)
      .map(({ id }) => id);
  assert.deepEqual(cut([]), []);
  assert.deepEqual(cut([link(1, 2), link(2, 1)]), []);
  assert.equal(apply(picture([node(1)])).nodes[0].isCut, false, "one alone lacks nobody");
  assert.deepEqual(cut(apart(1)), [1]);
  assert.deepEqual(cut([link(1, 2), link(1, 3)]), [1], "one direction is not enough to talk");
  assert.deepEqual(cut(apart(1, 2)), [1, 2, 3]);
  assert.deepEqual(cut([{ ...link(1, 2), cut: false, drop: 1 }, link(1, 3)]), []);
});

test("reach counts the running nodes that a node can talk with, itself included", () => {
  const reach = (states, rules) =>
    apply(picture(three(...states), { rules })).nodes.map(({ reach }) => reach);
  assert.deepEqual(reach(["running", "running", "running"], []), [3, 3, 3]);
  assert.deepEqual(reach(["running", "killed", "running"], []), [2, 0, 2]);
  assert.deepEqual(reach(["running", "running", "running"], apart(3)), [2, 2, 1]);
  assert.deepEqual(reach(["running", "halted", "running"], apart(3)), [1, 0, 1]);
});

test("reach counts those that may vote", () => {
  const all = three("running", "running", "running");
  const reach = (...actions) => apply(...actions).nodes.map(({ reach }) => reach);
  assert.deepEqual(reach(picture(all, { members: [voter(1), voter(2), joining(3)] })), [2, 2, 2]);
  assert.deepEqual(reach(picture(all), amnesia(3), picture(all)), [2, 2, 2]);
});

test("a node that lost its storage learns, and then has its vote again", () => {
  const all = picture(three("running", "running", "running"));
  const without = members(voter(1), voter(2), joining(3));
  const back = members(voter(1), voter(2), voter(3));
  const catchup = { type: "catchup", node: 3, catchup: { matched: 37, last: 120 } };
  const told = [];
  const badges = [];
  [all, amnesia(3), back, without, all, without, catchup, back].reduce((model, action) => {
    const next = update(model, action);
    if (model !== initial) {
      told.push(...news(model.nodes, next.nodes).map(({ text }) => text));
      badges.push(standingOut(next.nodes[2]));
    }
    return next;
  }, initial);
  // What it is told to be before the others know of its loss means nothing.
  assert.deepEqual(told.slice(0, 3), [
    "Node 3 lost its storage, and with it its vote",
    "Node 3 learns anew from the others, without a vote",
    "Node 3 has learned everything, and has its vote again",
  ]);
  const [lost, learns] = ["Lost its storage", "Lost its storage; learns anew"];
  assert.deepEqual(badges, [lost, lost, learns, "", "Joining", "Joining (37 of 120)", ""]);
  const learning = apply(all, amnesia(3), without, catchup).nodes[2];
  assert.equal(standingOut(learning), `${learns} (37 of 120)`);
});

test("who comes, gets a vote, goes and is gone is told once", () => {
  const all = picture(three("running", "running", "running"));
  const four = [...three("running", "running", "running"), node(4)];
  const started = picture(four, { members: [1, 2, 3].map(voter) });
  const told = [];
  [
    all,
    started,
    members(...[1, 2, 3].map(voter), joining(4)),
    members(...[1, 2, 3, 4].map(voter)),
    members(...[1, 2].map(voter), { ...voter(3), leaving: true }, voter(4)),
    members(...[1, 2, 4].map(voter)),
    picture(four.filter(({ id }) => id !== 3)),
  ].reduce((model, action) => {
    const next = update(model, action);
    if (model !== initial) told.push(...news(model.nodes, next.nodes).map(({ text }) => text));
    return next;
  }, initial);
  assert.deepEqual(told, [
    "Node 4 joins: it learns first, and then gets its vote",
    "Node 4 has its vote",
    "Node 3 is leaving the cluster",
    "Node 3 has left the cluster",
  ]);
});

test("half of the voters without their storage are too many: nothing is promised then", () => {
  const all = picture(three("running", "running", "running"));
  const one = apply(all, amnesia(3));
  assert.deepEqual([isQuorumLost(one.nodes), warning(one)], [false, ""]);
  const two = apply({ type: "opened", origin: "restored" }, all, amnesia(3), amnesia(1));
  assert.equal(isQuorumLost(two.nodes), true);
  assert.match(warning(two), /cannot be recovered/);
  assert.match(summary(two), /^No quorum, and none to be had/);
  assert.equal(standingOut(two.nodes[0]), "Lost its storage");
  assert.deepEqual(
    news(one.nodes, two.nodes).map(({ kind }) => kind),
    ["fault", "error"],
  );
  // Those who have no vote do not count.
  const learners = { members: [voter(1), voter(2), voter(3), joining(4), joining(5)] };
  const five = picture(
    [1, 2, 3, 4, 5].map((id) => node(id)),
    learners,
  );
  assert.equal(isQuorumLost(apply(five, amnesia(4), amnesia(5), amnesia(1)).nodes), false);
});

test("a reset is told as long as the page is open", () => {
  const opened = (origin) => warning(apply({ type: "opened", origin }));
  assert.match(
    opened("reset"),
    /^This cluster was founded anew: the storage of the earlier one is gone/,
  );
  assert.deepEqual([opened("founded"), opened("restored")], ["", ""]);
});

test("a node that halted keeps its reason", () => {
  const reason = { code: "STORAGE_CORRUPT", message: "a record is damaged", place: "0000/hard" };
  const [halted] = apply(picture([{ ...node(1, "halted"), reason }])).nodes;
  assert.deepEqual(halted.trouble, {
    code: "STORAGE_CORRUPT",
    text: "a record is damaged",
    place: "0000/hard",
    outcome: undefined,
  });
});

test("an older answer of the store does not replace a newer one", () => {
  const store = (revision) => ({ type: "store", store: { entries: [], count: 0, revision } });
  assert.equal(apply(store(5), store(4)).store.revision, 5);
  assert.equal(apply(store(5), { type: "storeUnread" }).store.stale, true);
  assert.equal(apply(store(5), { type: "storeUnread" }, store(5)).store.stale, false);
});

test("an older call does not overwrite what is told of the newest", () => {
  const answer = (call, kind) => ({ type: "answer", answer: { call, kind, text: `${call}` } });
  const text = (...answers) => apply(...answers).answer.text;
  assert.equal(text(answer(1, "waiting"), answer(2, "waiting"), answer(1, "done")), "2");
  assert.equal(text(answer(1, "waiting"), answer(2, "waiting"), answer(2, "done")), "2");
});

test("history is bounded, numbered, the newest first, and survives another try", () => {
  const happened = (at) => ({ type: "happened", what: { at, kind: "write", text: `${at}` } });
  const { happenings } = apply(...Array.from({ length: 500 }, (_, at) => happened(at)));
  assert.equal(MAX_HAPPENINGS, 200);
  assert.equal(happenings.length, MAX_HAPPENINGS);
  assert.deepEqual([happenings[0].text, happenings[0].number], ["499", 500]);
  assert.equal(apply(happened(1), { type: "opening" }, happened(2)).happenings[0].number, 2);
});

test("another try forgets what went wrong", () => {
  const trouble = { code: "STORAGE_LOCKED", text: "locked" };
  const failed = apply({ type: "slow" }, { type: "failed", trouble });
  assert.deepEqual([failed.phase, failed.trouble], ["failed", trouble]);
  const again = update(failed, { type: "opening" });
  assert.deepEqual([again.phase, again.trouble, again.slow], ["opening", null, false]);
});

test("a model is never changed, only followed by another", () => {
  const freeze = (value) => {
    if (typeof value === "object" && value !== null) Object.values(value).forEach(freeze);
    return Object.freeze(value);
  };
  const action = freeze(picture(three("running", "killed", "running"), { rules: apart(1) }));
  assert.doesNotThrow(() => update(update(freeze(apply(action)), { type: "opened" }), action));
});

test("the strip tells committed, persisted, pending and compacted entries apart", () => {
  const rest = { applied: 0, snapshot: 0, runs: [], entries: [] };
  const cells = (log) =>
    cellsOf({ ...rest, ...log }, 1, 24)
      .map(({ state }) => state)
      .filter((state) => state !== "none");
  const log = { start: 0, last: 5, commit: 2, persisted: 4 };
  assert.deepEqual(cells(log), ["committed", "committed", "persisted", "persisted", "pending"]);
  assert.deepEqual(cells({ ...log, start: 1 })[0], "compacted");
  assert.deepEqual(cells({ start: 0, last: 0, commit: 0, persisted: 0 }), []);
});

test("all strips begin at the same entry, and the newest of all nodes fits in, and one more", () => {
  const last = (last) => ({ log: { last } });
  assert.equal(firstShown([], 24), 1);
  assert.equal(firstShown([last(3), last(0)], 24), 1);
  assert.equal(firstShown([last(23), last(3)], 24), 1);
  assert.equal(firstShown([last(900), last(899)], 24), 878);
});

test("a strip in words", () => {
  const log = { start: 0, last: 5, commit: 5, persisted: 5, runs: [{ first: 1, term: 2 }] };
  assert.equal(describeLog(log), "Log: 5 entries, all committed, the last of term 2.");
  assert.match(describeLog({ ...log, commit: 3 }), /, 2 not known to be committed,/);
  assert.equal(describeLog({ ...log, last: 0, commit: 0 }), "Log: empty.");
});

test("a node that believes to lead is no leader beside the leader", () => {
  const leads = (id) => node(id, "running", { role: "leader" });
  assert.deepEqual(standing(leads(1), 1), ["leader", "Leader"]);
  assert.deepEqual(standing(leads(1), 2), ["formerLeader", "Leader of the past"]);
  assert.deepEqual(standing(leads(1), null)[0], "formerLeader");
  assert.deepEqual(standing(node(1, "killed", { role: "leader" }), 1), ["killed", "Killed"]);
});

test("the summary tells an election from a lost quorum", () => {
  const open = { type: "opened" };
  const text = (nodes, rest) => summary(apply(open, picture(nodes, rest)));
  const all = three("running", "running", "running");
  assert.match(text(three("running", "running", "killed")), /election is under way/);
  assert.match(text(three("running", "killed", "halted")), /^No quorum: 1 of 3 nodes run, 2 are/);
  assert.match(text(all, { rules: apart(1, 2) }), /^No quorum: no majority of nodes reach/);
  assert.match(text(three("running", "killed", "running"), { rules: apart(1) }), /^No quorum: no/);
  assert.equal(text(all, { leader: 2, term: 7 }), "Node 2 leads in term 7. All nodes run.");
  assert.match(
    text(three("running", "running", "killed"), { leader: 2, term: 7 }),
    /^Node 2 leads in term 7\. 2 of 3 nodes run\.$/,
  );
  assert.match(text(all, { leader: 2, term: 7, rules: apart(2) }), /election is under way/);
  const learners = { members: [voter(1), voter(2), joining(3)] };
  assert.match(text(three("running", "killed", "running"), learners), /^No quorum: 1 of 2 voters/);
  const lost = apply(open, picture(three("running", "running", "killed")), amnesia(1));
  assert.match(summary(lost), /^No quorum: 1 of 3 nodes may vote, 2 are needed\./);
});

/** Every code that the package documents. */
const codes = [...readFileSync(at("docs/errors.md"), "utf8").matchAll(/^\| `([A-Z_]+)` \|/gm)].map(
  ([, code]) => code,
);

test("there is advice on every error, in sentences", () => {
  assert.ok(codes.length > 25);
  for (const code of [...codes, "UNKNOWN"]) {
    for (const doing of ["opening", "running", "changing"])
      assert.match(advice(code, doing), /^[A-Z].*\.$/, `${code} while ${doing}`);
    for (const doing of ["opening", "running", "changing", "calling"])
      assert.match(
        sentences({ code, text: "it is so" }, doing),
        new RegExp(`^It is so\\. .*\\(${code}\\)$`),
      );
  }
});

test("an error tells its place, what became of a write, and what to do", () => {
  const error = { code: "TIMEOUT", message: "no answer within 5 ms", outcome: "unknown" };
  assert.equal(
    sentences(troubleOf(error), "calling", true),
    "No answer within 5 ms. It may have been done, or may still be: get the key to see. Try again. (TIMEOUT)",
  );
  assert.equal(
    sentences(troubleOf(error), "calling"),
    "No answer within 5 ms. Try again. (TIMEOUT)",
  );
  const damaged = { code: "STORAGE_CORRUPT", text: "damaged", place: "0000/hard" };
  assert.match(sentences(damaged, "running"), /^Damaged, at 0000\/hard\. It stays out/);
  assert.match(sentences({ ...damaged, text: "0000/hard: bad" }, "running"), /^0000\/hard: bad\. /);
});

test("long texts are cut between characters, and say how long they are", () => {
  assert.equal(shorten("short"), "short");
  assert.equal(shorten("abcdef", 3), "abc… (6 characters)");
  assert.equal(shorten("ab\u{1F34E}cdef", 3), "ab… (8 characters)");
});

test("numbers as people read them", () => {
  assert.deepEqual([0, 59_999, 60_000, 754_321].map(clock), [
    "0:00.0",
    "0:59.9",
    "1:00.0",
    "12:34.3",
  ]);
  assert.deepEqual([999, 1_000, 12_345_678].map(bytes), ["999 B", "1.0 KB", "12.3 MB"]);
  assert.deepEqual([[1], [1, 3], [1, 2, 3]].map(nodeList), [
    "node 1",
    "nodes 1 and 3",
    "nodes 1, 2 and 3",
  ]);
});
