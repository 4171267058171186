/** The lessons, in their order. */

import { leaderOf } from "../simulator/commit.js";
import type { Director } from "./director.js";
import { job, shards } from "./groups.js";
import { calm, type Lesson } from "./lesson.js";
import {
  allAgree,
  anotherLeads,
  both,
  flies,
  has,
  hasOfTerm,
  holds,
  isA,
  knowsCommitted,
  leads,
  nobodyLeads,
  somebodyAsks,
  somebodyLeads,
  somebodyStands,
  votedFor,
} from "./sights.js";

/** A cluster whose leader is node 1, and in which all agree. */
async function ledByOne(scene: Director): Promise<void> {
  await scene.pass(20);
  await scene.timeout(1);
  await scene.until(leads(1));
  await scene.until(allAgree);
}

/** A client stores so many values, one after the other. */
async function store(scene: Director, client: number, values: readonly string[]): Promise<void> {
  for (const value of values) {
    await scene.ask(client, "put", "x", value);
    await scene.pass(120);
  }
}

/** These ways take long, each from one node to another. */
async function slowed(
  scene: Director,
  ...ways: readonly (readonly [number, number])[]
): Promise<void> {
  for (const [from, to] of ways) await scene.slow(from, to, 100);
}

const election: Lesson = {
  id: "election",
  spec: calm(3),
  tell: async (scene) => {
    scene.say("timers");
    await scene.until(somebodyAsks);
    scene.say("asks");
    await scene.until(somebodyStands);
    scene.say("stands");
    await scene.until(somebodyLeads);
    scene.say("leads");
    await scene.until(allAgree);
    scene.say("heartbeats");
  },
  done: ({ nodes }) => (leaderOf(nodes)?.term ?? 0) >= 2,
  solve: async (scene) => {
    await scene.crash(scene.leader);
    await scene.until(somebodyLeads);
  },
};

const splitVote: Lesson = {
  id: "splitVote",
  spec: calm(4),
  tell: async (scene) => {
    await scene.pass(20);
    scene.say("two");
    // Neither hears of the other, and from now on each is heard by one of the others first.
    await slowed(scene, [1, 2], [2, 1]);
    await scene.timeout(1, 2);
    await scene.until(isA(1, "preCandidate"));
    await scene.until(isA(2, "preCandidate"));
    await slowed(scene, [1, 4], [2, 3]);
    await scene.until(isA(1, "candidate"));
    await scene.until(isA(2, "candidate"));
    scene.say("stand");
    await scene.until(votedFor(3, 1));
    await scene.until(votedFor(4, 2));
    scene.say("split");
    await scene.heal();
    await scene.until(somebodyLeads);
    scene.say("again");
  },
  done: ({ nodes }) =>
    nodes.filter(({ state }) => state !== "running").length === 2 && leaderOf(nodes) === undefined,
  solve: async (scene) => {
    const [first = 0] = scene.others(scene.leader);
    await scene.crash(scene.leader, first);
    await scene.until(nobodyLeads);
  },
};

const replication: Lesson = {
  id: "replication",
  spec: calm(3, { disk: 20 }),
  tell: async (scene) => {
    await ledByOne(scene);
    const index = (scene.picture.nodes[0]?.log.last ?? 0) + 2;
    scene.say("asks");
    await scene.ask(1, "put", "x", "1");
    await scene.until(holds(1, index));
    scene.say("appends");
    await scene.until(holds(2, index));
    scene.say("follows");
    await scene.until(knowsCommitted(1, index));
    scene.say("commits");
    await scene.until(knowsCommitted(2, index));
    await scene.until(allAgree);
    scene.say("all");
  },
  done: ({ nodes }) =>
    nodes.some(({ state }) => state === "down") && nodes.some(({ log }) => log.commit >= 4),
  solve: async (scene) => {
    await scene.crash(3);
    await scene.ask(1, "put", "x", "2");
    await scene.until(knowsCommitted(1, 4));
  },
};

const minorityLeader: Lesson = {
  id: "minorityLeader",
  spec: calm(5),
  tell: async (scene) => {
    await ledByOne(scene);
    await scene.ask(1, "put", "x", "1");
    await scene.pass(150);
    await scene.until(allAgree);
    const index = scene.picture.nodes[0]?.log.last ?? 0;
    scene.say("before");
    await scene.part(1, 2);
    await scene.ask(1, "put", "x", "lost?");
    await scene.until(has(2, index + 1));
    scene.say("stuck");
    await scene.until(({ nodes }) => nodes.some(({ id, role }) => id > 2 && role === "leader"));
    scene.say("two");
    await scene.until(({ nodes }) => nodes[0]?.role !== "leader");
    scene.say("steps");
    await scene.heal();
    await scene.until(allAgree);
    scene.say("healed");
  },
  done: ({ nodes }) =>
    nodes.filter(({ state }) => state !== "running").length === 2 && leaderOf(nodes) !== undefined,
  solve: async (scene) => {
    const { leader } = scene;
    const [a = 0] = scene.others(leader);
    await scene.crash(leader, a);
    await scene.until(somebodyLeads);
  },
};

const repair: Lesson = {
  id: "repair",
  spec: calm(3, { batch: 4 }),
  without: "no-conflict-hint",
  tell: async (scene) => {
    await ledByOne(scene);
    scene.say("before");
    // What the old leader takes reaches nobody.
    await scene.part(1);
    for (const value of ["a", "b", "c", "d", "e", "f"]) await scene.ask(1, "put", "x", value);
    await scene.pass(100);
    const { leader: old } = scene;
    await scene.crash(old);
    scene.say("alone");
    await scene.until(anotherLeads(old));
    await store(scene, 2, ["1", "2", "3", "4"]);
    await scene.until(allAgree);
    const { leader } = scene;
    scene.say("apart");
    await scene.heal();
    await scene.start(old);
    await scene.until(flies("append", old, leader));
    scene.say("refuses");
    await scene.until(allAgree);
    scene.say("repaired");
  },
  done: ({ nodes }) =>
    nodes.every(({ state }) => state === "running") &&
    new Set(nodes.map(({ log }) => log.last)).size === 1 &&
    (leaderOf(nodes)?.term ?? 0) >= 3,
  solve: async (scene) => {
    const { leader } = scene;
    await scene.crash(leader);
    await scene.until(anotherLeads(leader));
    await scene.start(leader);
    await scene.until(allAgree);
  },
};

const figure8: Lesson = {
  id: "figure8",
  spec: calm(5, { batch: 1, election: 1_000 }),
  without: "old-term-committed-by-counting",
  tell: async (scene) => {
    await ledByOne(scene);
    await scene.ask(1, "put", "x", "0");
    await scene.pass(200);
    await scene.until(allAgree);
    const index = (scene.picture.nodes[0]?.log.last ?? 0) + 1;
    const term = scene.picture.nodes[0]?.term ?? 0;
    scene.say("start");
    // (a) Node 1 leads, and its entries reach node 2 only.
    await scene.part(1, 2);
    await scene.ask(1, "put", "x", "1");
    await scene.ask(2, "put", "x", "2");
    await scene.until(has(2, index + 1));
    scene.say("a");
    // (b) Node 5 is elected by 3 and 4, and takes another entry, which reaches nobody.
    await scene.crash(1);
    // Until the others listen to somebody else.
    await scene.pass(980);
    await scene.timeout(5);
    await scene.until(leads(5));
    await scene.part(5);
    await scene.until(has(5, index));
    // What it had sent is lost on its way.
    await scene.pass(60);
    scene.say("b");
    await scene.crash(5);
    await scene.heal();
    // (c) Node 1 comes back, is elected by 2 and 3, and goes on with its old entry.
    await scene.start(1);
    await scene.pass(20);
    // First it has to learn that there was another term.
    await scene.timeout(1);
    await scene.until(({ nodes }) => (nodes[0]?.term ?? 0) > term);
    await scene.timeout(1);
    await scene.until(leads(1));
    await scene.until(both(hasOfTerm(3, index, term), has(3, index)));
    scene.say("c");
    await scene.until(
      (picture, board) =>
        knowsCommitted(1, index)(picture, board) || (picture.nodes[0]?.state ?? "") !== "running",
    );
    scene.say("d");
    await scene.start(5);
    await scene.until(allAgree);
    scene.say("end");
  },
  done: ({ nodes }) =>
    nodes.every(({ state }) => state === "running") && (leaderOf(nodes)?.id ?? 1) === 5,
  solve: async (scene) => {
    await scene.act({ do: "transfer", node: 5 });
    await scene.until(leads(5));
  },
};

const persistence: Lesson = {
  id: "persistence",
  spec: calm(3),
  without: "vote-forgotten-on-restart",
  tell: async (scene) => {
    await scene.pass(20);
    scene.say("before");
    // Nodes 1 and 3 stand for the same term; node 2 hears node 1 long before node 3, and is hard to hear.
    await scene.slow(3, 2, 150);
    await scene.slow(1, 3, 40);
    await scene.timeout(1, 3);
    await scene.until(isA(1, "candidate"));
    await scene.slow(2, 1, 400);
    await scene.until(votedFor(2, 1));
    await scene.pass(15);
    scene.say("voted");
    await scene.crash(2);
    scene.say("crashed");
    await scene.start(2);
    await scene.until(somebodyLeads);
    scene.say("asked");
    await scene.heal();
    await scene.until(allAgree);
    scene.say("end");
  },
  done: ({ nodes }) => nodes.every(({ state }) => state === "running") && leaderOf(nodes)?.id === 2,
  solve: async (scene) => {
    await scene.timeout(2);
    await scene.until(somebodyLeads);
    if (scene.leader !== 2) await scene.act({ do: "transfer", node: 2 });
    await scene.until(leads(2));
  },
};

const snapshots: Lesson = {
  id: "snapshots",
  spec: calm(3, { snapshotEntries: 10 }),
  tell: async (scene) => {
    await ledByOne(scene);
    await scene.crash(3);
    scene.say("down");
    await store(scene, 1, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]);
    await scene.until(({ nodes }) => (nodes[0]?.log.start ?? 0) > 3);
    scene.say("compacted");
    await scene.start(3);
    await scene.until(({ flights }) =>
      flights.some(({ kind, to }) => kind === "snapshot" && to === 3),
    );
    scene.say("sent");
    await scene.until(({ nodes }) => (nodes[2]?.log.snapshot ?? 0) > 0);
    scene.say("installed");
    await scene.until(allAgree);
    scene.say("end");
  },
  done: ({ nodes }) => (nodes[1]?.log.snapshot ?? 0) >= 20,
  solve: async (scene) => {
    await store(scene, 1, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"]);
    await scene.until(({ nodes }) => (nodes[1]?.log.snapshot ?? 0) >= 20);
  },
};

const preVote: Lesson = {
  id: "preVote",
  spec: calm(3),
  without: "no-pre-vote",
  tell: async (scene) => {
    await ledByOne(scene);
    scene.say("before");
    await scene.part(3);
    await scene.until(({ nodes }) => nodes[2]?.role !== "follower");
    scene.say("alone");
    await scene.pass(2_000);
    scene.say("long");
    await scene.heal();
    await scene.pass(400);
    await scene.until(allAgree);
    scene.say("back");
  },
  done: ({ nodes }) => leaderOf(nodes)?.id === 3,
  solve: async (scene) => {
    await scene.act({ do: "transfer", node: 3 });
    await scene.until(leads(3));
  },
};

const members: Lesson = {
  id: "members",
  spec: calm(5),
  tell: async (scene) => {
    await ledByOne(scene);
    scene.say("before");
    await scene.act({ do: "remove", node: 5 });
    scene.say("joint");
    await scene.until(({ nodes }) => nodes[4]?.part === "none");
    scene.say("gone");
    await scene.pass(300);
    await scene.act({ do: "restore" });
    await scene.until(({ nodes }) => nodes[4]?.part === "joining" || nodes[4]?.part === "voter");
    scene.say("learns");
    await scene.until(({ nodes }) => nodes[4]?.part === "voter");
    await scene.until(allAgree);
    scene.say("end");
  },
  done: ({ nodes }) =>
    nodes.some(({ id, part }) => id === 1 && part === "none") && leaderOf(nodes) !== undefined,
  solve: async (scene) => {
    await scene.act({ do: "remove", node: 1 });
    await scene.until(({ nodes }) => nodes[0]?.part === "none" && leaderOf(nodes) !== undefined);
  },
};

const reads: Lesson = {
  id: "reads",
  spec: calm(3, { election: 600 }),
  without: "read-by-whoever-is-asked",
  tell: async (scene) => {
    await ledByOne(scene);
    await scene.ask(1, "put", "x", "old");
    await scene.pass(150);
    await scene.until(allAgree);
    // Both clients know the leader.
    await scene.ask(2, "get", "x");
    await scene.pass(150);
    scene.say("before");
    // The leader is not heard any more, and what it hears is old: it cannot know yet.
    await scene.slow(2, 1, 450);
    await scene.slow(3, 1, 450);
    await scene.pass(700);
    await scene.act({ do: "cut", from: 1, to: 2 });
    await scene.act({ do: "cut", from: 1, to: 3 });
    await scene.pass(610);
    await scene.timeout(2);
    await scene.until(anotherLeads(1));
    const { leader } = scene;
    await scene.ask(3, "put", "x", "new");
    await scene.until(({ nodes }) =>
      nodes.some(
        ({ id, log }) =>
          id === leader &&
          log.entries.some(({ index, text }) => text === "x=new" && index <= log.commit),
      ),
    );
    // Until its client has heard of it.
    await scene.pass(100);
    scene.say("behind");
    // Whoever asks first asks anybody: some ask node 1.
    for (const client of [2, 4, 5, 6, 7, 8]) await scene.ask(client, "get", "x");
    await scene.pass(100);
    scene.say("asked");
    await scene.heal();
    await scene.pass(2_000);
    await scene.until(allAgree);
    scene.say("answered");
  },
  done: ({ nodes }) => nodes.every(({ state, log }) => state === "running" && log.applied > 6),
  solve: async (scene) => {
    await store(scene, 1, ["1", "2", "3"]);
    await scene.until(({ nodes }) => nodes.every(({ log }) => log.applied > 6));
  },
};

const sessions: Lesson = {
  id: "sessions",
  spec: calm(3),
  without: "repeated-write-is-applied-again",
  tell: async (scene) => {
    await ledByOne(scene);
    await scene.ask(1, "increment", "n", "1");
    await scene.pass(200);
    await scene.until(allAgree);
    const index = (scene.picture.nodes[0]?.log.last ?? 0) + 1;
    scene.say("before");
    await scene.ask(1, "increment", "n", "1");
    await scene.until(knowsCommitted(1, index));
    scene.say("committed");
    await scene.until(flies("client", 1, 0));
    const answer = scene.picture.flights.find(({ from, to }) => from === 1 && to === 0);
    if (answer !== undefined) await scene.act({ do: "lose", flight: answer.id });
    await scene.crash(1);
    scene.say("lost");
    await scene.until(anotherLeads(1));
    await scene.until(
      ({ nodes, flights }) =>
        nodes.some(({ log }) => log.last > index) && !flights.some(({ to }) => to === 0),
    );
    await scene.pass(1_500);
    scene.say("again");
    await scene.ask(1, "get", "n");
    await scene.pass(300);
    scene.say("once");
  },
  done: ({ nodes }) => nodes.every(({ state }) => state === "running"),
  solve: async (scene) => {
    await scene.start(1);
    await scene.until(allAgree);
  },
};

export const LESSONS: readonly Lesson[] = [
  election,
  splitVote,
  replication,
  minorityLeader,
  repair,
  figure8,
  persistence,
  snapshots,
  preVote,
  members,
  reads,
  sessions,
  shards,
  job,
];
