// What a leader does about members by itself, rule by rule.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { bundle } from "../bundle.mjs";

let nextChange;
before(async () => {
  ({
    steward: { nextChange },
  } = await bundle({ steward: "steward.ts" }));
});

const now = 100_000;
const cluster = "00000000000000c1";

/** A leader 1 among tabs, all of whose nodes have locks and databases, and were heard just now. */
function sight({
  voters = [1, 2, 3],
  learners = [],
  joining = [],
  outgoing = [],
  peers = {},
  ...more
} = {}) {
  const others = [...voters, ...learners].filter((id) => id !== 1);
  const all = Object.fromEntries(others.map((id) => [id, {}]));
  const known = Object.entries({ ...all, ...peers }).filter(([, peer]) => peer !== null);
  const ids = new Set([...voters, ...learners]);
  const members = { voters, learners, joining, outgoing };
  return {
    node: 1,
    orphan: false,
    now,
    since: 0,
    status: {
      clusterId: cluster,
      groups: [{ role: "leader", commit: 9, membersIndex: 9, members }],
    },
    peers: new Map(
      known.map(([id, peer]) => [
        Number(id),
        { cluster, orphan: false, heard: now, storage: `s${id}`, ...peer },
      ]),
    ),
    tabs: { held: ids, stored: ids, unfit: new Set() },
    ...more,
  };
}

const silent = { heard: now - 10_000 };
const orphan = { orphan: true };
const demote = (node) => ({ change: "demote", node });
const remove = (node) => ({ change: "remove", node });
const add = (change, node) => ({ change, node, storage: `s${node}` });

for (const [what, seen, wanted] of [
  ["all is well: nothing", sight(), []],
  [
    "who says hello and is no member gets a vote",
    sight({ peers: { 4: {} } }),
    [add("addVoter", 4)],
  ],
  [
    "but not before it knows the cluster",
    sight({ peers: { 4: { cluster: "0000000000000000" } } }),
    [],
  ],
  ["nor one that is silent", sight({ peers: { 4: silent } }), []],
  ["nor one whose tab is gone", sight({ peers: { 4: orphan } }), []],
  [
    "where there is no room for another member, what else there is to do is done",
    sight({
      voters: [1, 3],
      learners: Array.from({ length: 61 }, (_, at) => at + 4),
      peers: { 2: {} },
    }),
    [{ change: "promote", node: 4 }],
  ],
  [
    "where five vote, the sixth learns",
    sight({ voters: [1, 2, 3, 4, 5], peers: { 6: {} } }),
    [add("addLearner", 6)],
  ],
  [
    "a learner gets a vote when there is room",
    sight({ voters: [1, 2], learners: [3] }),
    [{ change: "promote", node: 3 }],
  ],
  ["and none when there is not", sight({ voters: [1, 2, 3, 4, 5], learners: [6] }), []],
  [
    "without tabs all may vote",
    sight({ voters: [1, 2, 3, 4, 5], peers: { 6: {} }, tabs: undefined }),
    [add("addVoter", 6)],
  ],
  ["without tabs a learner stays one", sight({ voters: [1], learners: [2], tabs: undefined }), []],
  ["an orphan is removed", sight({ peers: { 2: orphan } }), [remove(2)]],
  [
    "but not while those who would be left are too few to agree",
    sight({ peers: { 2: orphan, 3: { heard: now - 3_000 } } }),
    [],
  ],
  ["a frozen one loses its vote first", sight({ peers: { 2: orphan, 3: silent } }), [demote(3)]],
  ["several at once", sight({ peers: { 2: orphan, 3: orphan } }), [remove(2), remove(3)]],
  ["a leader whose own tab is gone removes itself", sight({ orphan: true }), [remove(1)]],
  [
    "but not while nobody else votes",
    sight({ voters: [1], learners: [2], orphan: true }),
    [{ change: "promote", node: 2 }],
  ],
  [
    "nor while all voters are orphans",
    sight({ voters: [1, 2], orphan: true, peers: { 2: orphan } }),
    [],
  ],
  ["without tabs nobody is an orphan", sight({ peers: { 2: orphan }, tabs: undefined }), []],
  [
    "a voter that is silent, and holds its lock, loses its vote",
    sight({ peers: { 2: silent } }),
    [demote(2)],
  ],
  ["one that was never heard, too", sight({ peers: { 2: null } }), [demote(2)]],
  [
    "but not before the leader has listened that long",
    sight({ peers: { 2: null }, since: now - 9_999 }),
    [],
  ],
  ["a moment of silence is none", sight({ peers: { 2: { heard: now - 9_999 } } }), []],
  ["without tabs silence says nothing", sight({ peers: { 2: silent }, tabs: undefined }), []],
  [
    "a silent one whose lock is free is left to be adopted",
    sight({
      peers: { 2: silent },
      tabs: { held: new Set([1, 3]), stored: new Set([1, 2, 3]), unfit: new Set() },
    }),
    [],
  ],
  [
    "one of whom nothing is left is removed",
    sight({
      peers: { 2: silent },
      tabs: { held: new Set([1, 3]), stored: new Set([1, 3]), unfit: new Set() },
    }),
    [remove(2)],
  ],
  [
    "one whose database does not open is removed",
    sight({
      peers: { 2: silent },
      tabs: { held: new Set([1, 3]), stored: new Set([1, 2, 3]), unfit: new Set([2]) },
    }),
    [remove(2)],
  ],
  [
    "who joins and is silent keeps nobody waiting",
    sight({ learners: [4], joining: [4], peers: { 4: silent } }),
    [remove(4)],
  ],
  [
    "without tabs neither",
    sight({ learners: [4], joining: [4], peers: { 4: silent }, tabs: undefined }),
    [remove(4)],
  ],
  ["one joins at a time", sight({ learners: [4], joining: [4], peers: { 5: {} } }), []],
  ["one change at a time", sight({ outgoing: [1, 2], peers: { 4: {} } }), []],
]) {
  test(what, () => assert.deepEqual(nextChange(seen), wanted));
}

test("nothing by who does not lead, or whose last change is not committed", () => {
  const seen = sight({ peers: { 4: {} } });
  const [group] = seen.status.groups;
  for (const other of [{ role: "follower" }, { commit: 8 }]) {
    const status = { ...seen.status, groups: [{ ...group, ...other }] };
    assert.deepEqual(nextChange({ ...seen, status }), []);
  }
  assert.deepEqual(nextChange({ ...seen, status: { ...seen.status, groups: [] } }), []);
});
