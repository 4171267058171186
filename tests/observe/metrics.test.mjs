// What nodes count, on clusters of worker threads: the numbers move as what they stand for does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { failure, open, others, until } from "../node/help.mjs";

/** For what must not be disturbed by an election, however busy the machine is. */
const calm = { election: 2_000 };

const nodeOf = (metrics, id) => metrics.nodes.find((node) => node.id === id).metrics;
const sum = (metrics, of) => metrics.nodes.reduce((all, node) => all + of(node.metrics), 0);

/** Metrics of a moment in which all that was sent has arrived, of these kinds. */
async function settled(cluster, kinds) {
  let metrics;
  await until(async () => {
    metrics = await cluster.metrics();
    return kinds.every(
      (kind) =>
        sum(metrics, ({ messages }) => messages.sent[kind]) ===
        sum(metrics, ({ messages }) => messages.received[kind] + messages.lost[kind]),
    );
  }, `what was sent has arrived: ${kinds}`);
  return metrics;
}

test("writes are proposed, committed, applied and persisted, and each is counted once", async (t) => {
  const cluster = await open(t, { timeouts: calm });
  const leader = await cluster.leader();
  await cluster.kv.put("first", 0);
  const before = nodeOf(await cluster.metrics(), leader);
  for (let n = 0; n < 25; n++) {
    await cluster.kv.put(`k${n}`, n);
    // Who is behind stores several at once: each is to be on every disk before the next is written.
    await until(async () => {
      const { nodes } = await cluster.status();
      const { last } = nodes.find(({ id }) => id === leader).status;
      return nodes.every(({ status }) => status.persisted === last);
    }, "all have stored it");
  }
  await until(
    async () => (await cluster.node(leader).metrics()).commit.count === before.commit.count + 25,
    "the last write is counted",
  );
  const metrics = await cluster.metrics();
  const after = nodeOf(metrics, leader);
  assert.equal(after.proposals.committed, before.proposals.committed + 25);
  assert.equal(after.proposals.applied, after.proposals.committed);
  assert.equal(after.proposals.pending, 0);
  assert.equal(after.commit.count, after.proposals.committed, "all of this leader's entries");
  assert.equal(after.requests.writes, before.requests.writes + 25);
  assert.equal(after.replies.done, before.replies.done + 25);
  assert.ok(after.apply.count > before.apply.count);
  assert.ok(after.store.keys === 26 && after.store.bytes > before.store.bytes);
  for (const { metrics: node } of metrics.nodes) {
    assert.equal(node.persist.count, node.storage.rounds, "one for each durable write");
    assert.ok(node.persist.count >= 25, `${node.persist.count} durable writes`);
    for (const histogram of [node.commit, node.apply, node.persist]) {
      assert.equal(histogram.counts.length, histogram.bounds.length + 1);
      assert.equal(
        histogram.counts.reduce((all, count) => all + count, 0),
        histogram.count,
      );
      assert.ok(histogram.sum >= 0 && histogram.sum < 60 * (histogram.count + 1));
    }
  }
  assert.equal(metrics.totals.committed, after.proposals.committed);
  assert.equal(
    metrics.totals.persist.count,
    sum(metrics, (node) => node.storage.rounds),
  );
  assert.equal(metrics.totals.running, 3);
});

test("a latency is what a slow disk and a slow network make of it", async (t) => {
  const { storageOf } = slowStorage(60);
  const cluster = await open(t, { storage: storageOf, timeouts: calm });
  const leader = await cluster.leader();
  await cluster.kv.put("a", 1);
  const [far] = others(cluster, leader);
  cluster.network.delay({ from: leader, to: far, ms: 150 });
  for (let n = 0; n < 5; n++) await cluster.kv.put("a", n);
  const roundTrip = ({ peers }, id) => peers.find((peer) => peer.id === id).roundTrip;
  const below = ({ bounds, counts }, bound) =>
    counts.slice(0, bounds.indexOf(bound) + 1).reduce((all, count) => all + count, 0);
  const early = roundTrip(await cluster.node(leader).metrics(), far);
  await until(
    async () => roundTrip(await cluster.node(leader).metrics(), far).count >= early.count + 5,
    "heartbeats",
  );
  const node = await cluster.node(leader).metrics();
  assert.ok(node.persist.count >= 6);
  assert.equal(below(node.persist, 0.05), 0, "no write was faster than its disk");
  assert.equal(below(node.commit, 0.05), 0, "no commit was faster than its writes");
  const late = roundTrip(node, far);
  assert.equal(below(late, 0.1), below(early, 0.1), "none that began since came within 100 ms");
  assert.ok(late.count >= early.count + 5);
  assert.equal(roundTrip(await cluster.node(far).metrics(), leader).count, 0, "it does not lead");
});

/** Storage in memory that takes its time for each write. */
function slowStorage(ms) {
  const kept = new Map();
  const storageOf = (_, node) => {
    const records = kept.get(node) ?? new Map();
    kept.set(node, records);
    return {
      load: async () => [...records],
      write: async (deletes, puts) => {
        await new Promise((resolve) => setTimeout(resolve, ms));
        for (const [first, end] of deletes)
          for (const key of [...records.keys()]) if (first <= key && key < end) records.delete(key);
        for (const [key, value] of puts) records.set(key, value);
      },
      close: async () => {},
    };
  };
  return { storageOf };
}

test("messages are counted by kind, where they leave and where they arrive", async (t) => {
  const cluster = await open(t, { timeouts: calm });
  const leader = await cluster.leader();
  for (let n = 0; n < 10; n++) await cluster.kv.put("k", n);
  const [one] = others(cluster, leader);
  await cluster.node(one).kv.get("k");
  const kinds = [
    ...["preVote", "preVoteGranted", "preVoteRefused", "requestVote", "voteGranted", "voteRefused"],
    ...["append", "appendAccepted", "commitNotice", "readIndex", "readIndexResponse"],
  ];
  const metrics = await settled(cluster, kinds);
  const total = (way, kind) => sum(metrics, ({ messages }) => messages[way][kind]);
  assert.equal(total("sent", "preVote") % 2, 0, "a campaign asks both of the others");
  assert.equal(total("received", "preVoteGranted") + total("received", "preVoteRefused") > 0, true);
  const { messages } = nodeOf(metrics, leader);
  assert.ok(messages.received.voteGranted >= 1 && messages.sent.append >= 20);
  assert.equal(messages.received.append, 0);
  assert.ok(messages.received.readIndex >= 1);
  assert.ok(nodeOf(metrics, one).messages.received.readIndexResponse >= 1);
  // Who is behind accepts several puts at once; each needed one of the two.
  assert.ok(total("sent", "appendAccepted") >= 10);
  assert.ok(nodeOf(metrics, one).messages.sent.appendAccepted >= 1);
  assert.equal(nodeOf(metrics, one).messages.sent.heartbeat, 0, "only a leader has a heart");
  assert.ok(total("received", "heartbeat") > 0 && total("received", "heartbeatResponse") > 0);
  const bytes = (way) =>
    sum(metrics, ({ peers }) => peers.reduce((all, peer) => all + peer[way], 0));
  assert.ok(bytes("sentBytes") > 1_000 && bytes("receivedBytes") > 1_000);
  assert.equal(
    metrics.totals.sentMessages,
    sum(metrics, ({ messages }) => Object.values(messages.sent).reduce((a, b) => a + b, 0)),
  );
});

test("a kill is seen as an election and a new leader by those who are left", async (t) => {
  const cluster = await open(t);
  const leader = await cluster.leader();
  await cluster.kv.put("k", 1);
  const before = await cluster.metrics();
  await cluster.node(leader).kill();
  const dead = (await cluster.metrics()).nodes.find(({ id }) => id === leader);
  assert.deepEqual(dead, { id: leader, state: "killed", starts: 1, metrics: null });
  await failure(cluster.node(leader).metrics(), "NODE_KILLED");
  await cluster.leader();
  await cluster.kv.put("k", 2);
  const alive = others(cluster, leader);
  await until(async () => {
    const { nodes } = await cluster.metrics();
    return nodes.every(({ metrics }) => metrics === null || metrics.leader !== null);
  }, "both know the new leader");
  const after = await cluster.metrics();
  const grown = (of) =>
    alive.reduce((all, id) => all + of(nodeOf(after, id)) - of(nodeOf(before, id)), 0);
  assert.ok(grown(({ elections }) => elections) >= 1);
  assert.ok(grown(({ leaderChanges }) => leaderChanges) >= 2, "each came to know another leader");
  for (const id of alive) {
    assert.ok(nodeOf(after, id).term > nodeOf(before, id).term);
    assert.ok(grown(({ messages }) => messages.lost.preVote) > 0, "there was nobody to hear them");
  }
  await cluster.node(leader).start();
  await until(async () => (await cluster.node(leader).metrics()).leader !== null, "it is back");
  const again = (await cluster.metrics()).nodes.find(({ id }) => id === leader);
  assert.equal(again.starts, 2);
  const former = nodeOf(before, leader);
  assert.ok(again.metrics.uptime < former.uptime + 60 && again.metrics.commit.count === 0);
  assert.ok(again.metrics.persist.count < former.persist.count, "nothing of it was stored");
});

test("what a rule of the network takes is counted as lost, by kind", async (t) => {
  const cluster = await open(t);
  const leader = await cluster.leader();
  const [one] = others(cluster, leader);
  cluster.network.partition([one]);
  const lost = async (id, kind) => (await cluster.node(id).metrics()).messages.lost[kind];
  await until(async () => (await lost(leader, "heartbeat")) > 2, "heartbeats are lost");
  await until(async () => (await lost(one, "preVote")) > 1, "pre-votes are lost");
  const metrics = await cluster.node(leader).metrics();
  assert.ok(metrics.peers.find(({ id }) => id === one).droppedFrames > 0);
});

test("snapshots, watchers, leases, sessions and kinds of requests are in it", async (t) => {
  const cluster = await open(t, { snapshotEntries: 400 });
  const leader = await cluster.leader();
  const [one] = others(cluster, leader);
  const fill = async (count) => {
    for (let n = 0; n < count; n += 100)
      await Promise.all(Array.from({ length: 100 }, (_, at) => cluster.kv.put(`k${at}`, n)));
  };
  await fill(500);
  const written = async (id) => (await cluster.node(id).metrics()).snapshots.written;
  for (const { id } of cluster.nodes)
    await until(async () => (await written(id)) >= 1, `node ${id} has taken a snapshot`);
  await cluster.node(one).kill();
  await fill(2_000);
  await cluster.node(one).start();
  const installed = async () => (await cluster.node(one).metrics()).snapshots.installed;
  await until(async () => (await installed()) === 1, "it got the leader's snapshot");
  const sent = async () => (await cluster.metrics()).totals.snapshots.sent;
  await until(async () => (await sent()) >= 1, "the leader knows that it arrived");

  await cluster.kv.lease({ ttl: 60_000 });
  const watch = cluster.kv.watch({ prefix: "k" });
  t.after(() => watch.return?.());
  await watch.ready;
  await cluster.kv.get("k1");
  await cluster.kv.get("k1", { serializable: true });
  await until(async () => {
    const { nodes, totals } = await cluster.metrics();
    return (
      nodes.every(({ metrics }) => metrics.store.leases === 1 && metrics.store.sessions >= 1) &&
      nodes.some(({ metrics }) => metrics.store.watchers === 1) &&
      totals.requests.watches >= 1 &&
      totals.requests.reads >= 1 &&
      totals.requests.ownReads >= 1
    );
  }, "all of it is counted");
});

test("one node alone counts its election, and a machine of one's own counts as the store does", async (t) => {
  const machine = new URL("../machine/machines/bank.mjs", import.meta.url);
  const cluster = await open(t, { nodes: 1, machine });
  await cluster.execute({ deposit: { to: "a", amount: 5 } });
  const { nodes, totals } = await cluster.metrics();
  assert.equal(nodes[0].metrics.elections, 1);
  assert.equal(nodes[0].metrics.leaderChanges, 1);
  assert.ok(totals.commit.count >= 2 && nodes[0].metrics.apply.count >= 1);
  assert.deepEqual(nodes[0].metrics.peers, []);
});

test("what makes no sense is refused, and a closed cluster has no metrics", async (t) => {
  const cluster = await open(t, { nodes: 1 });
  await failure(cluster.metrics({ timeout: -1 }), "INVALID_ARGUMENT");
  await failure(cluster.node(1).metrics({ timout: 1 }), "INVALID_ARGUMENT");
  await failure(() => cluster.trace("yes"), "INVALID_ARGUMENT");
  await failure(open(t, { trace: 1 }), "INVALID_OPTION");
  await failure(open(t, { debug: ["elections"] }), "INVALID_OPTION");
  await failure(open(t, { debug: "election" }), "INVALID_OPTION");
  await failure(cluster.metrics({ signal: AbortSignal.abort() }), "ABORTED");
  const plain = await cluster.metrics();
  assert.deepEqual(structuredClone(plain), plain, "plain data");
  await cluster.close();
  await failure(cluster.metrics(), "CLOSED");
  await failure(() => cluster.trace(true), "CLOSED");
  await failure(cluster.node(1).metrics(), "CLOSED");
});
