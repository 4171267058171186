// Partitions, loss and delay between threads.

import assert from "node:assert/strict";
import test from "node:test";
import { converged, event, failure, open, others, picture } from "./help.mjs";

test("a leader that is cut off acknowledges nothing and catches up later", async (t) => {
  const cluster = await open(t);
  await cluster.kv.put("k", "before");
  const old = await cluster.leader();
  const before = await cluster.node(old).status();
  const lead = event(cluster, "leaderchange", ({ leader }) => leader !== null && leader !== old);
  cluster.network.partition([old], others(cluster, old));
  await lead;
  for (let at = 0; at < 20; at++) await cluster.kv.put("k", at);

  const cut = await cluster.node(old).status();
  assert.ok(cut.commit <= before.last, "the old leader committed nothing alone");
  assert.equal((await cluster.kv.get("k")).value, 19, "nobody reads from the old leader");

  cluster.network.heal();
  const { nodes } = await picture(cluster, converged);
  assert.ok(nodes[old - 1].status.commit >= cut.commit + 20);
  assert.equal((await cluster.kv.get("k")).value, 19);
});

test("without a majority a write ends by its deadline, and says what can have become of it", async (t) => {
  const cluster = await open(t);
  await cluster.kv.put("k", 0);
  const none = event(cluster, "leaderchange", ({ leader }) => leader === null);
  cluster.network.partition([1], [2], [3]);
  await none;
  const began = performance.now();
  const error = await failure(cluster.kv.put("k", 1, { timeout: 500 }), "NO_QUORUM");
  assert.ok(performance.now() - began < 5_000);
  assert.ok(["not-applied", "unknown"].includes(error.outcome));
  assert.equal(error.retryable, true);
  await failure(cluster.kv.get("k", { timeout: 300 }), "NO_QUORUM");
  await failure(cluster.leader({ timeout: 100 }), "NO_QUORUM");

  cluster.network.heal();
  await cluster.leader();
  const { value } = await cluster.kv.get("k");
  assert.ok(error.outcome === "not-applied" ? value === 0 : [0, 1].includes(value));
});

test("two killed of three are a lost quorum until one is back", async (t) => {
  const cluster = await open(t);
  await cluster.kv.put("k", 0);
  await cluster.node(1).kill();
  await cluster.node(2).kill();
  await failure(cluster.kv.put("k", 1, { timeout: 400 }), "NO_QUORUM");
  const waiting = cluster.kv.put("other", 2, { timeout: 30_000 });
  await cluster.node(1).start();
  await waiting;
  assert.equal((await cluster.kv.get("other")).value, 2);
});

test("writes get through loss and delay", async (t) => {
  const cluster = await open(t);
  await cluster.leader();
  cluster.network.drop({ probability: 0.2 });
  cluster.network.delay({ ms: 5, jitter: 20 });
  for (let at = 1; at <= 40; at++) {
    assert.equal((await cluster.kv.increment("n", 1, { timeout: 60_000 })).value, at);
  }
  const { nodes } = await cluster.status();
  assert.ok(nodes.some(({ status }) => status.droppedFrames > 0));
  cluster.network.heal();
  assert.deepEqual(cluster.network.rules, []);
  await picture(cluster, converged);
});

test("a node that starts gets the rules in force", async (t) => {
  const cluster = await open(t);
  const leader = await cluster.leader();
  const cut = others(cluster, leader)[0];
  await cluster.node(cut).kill();
  cluster.network.isolate(cut);
  await cluster.kv.put("k", 1);
  await cluster.node(cut).start();
  await cluster.kv.put("k", 2);
  assert.equal((await cluster.node(cut).status()).keys, 0, "it hears nothing");
  cluster.network.heal();
  await picture(cluster, converged);
});

test("rules are told as they are", async (t) => {
  const cluster = await open(t);
  cluster.network.partition([1]);
  assert.deepEqual(
    cluster.network.rules.map(({ from, to, cut }) => [from, to, cut]),
    [
      [1, 2, true],
      [1, 3, true],
      [2, 1, true],
      [3, 1, true],
    ],
    "those not named stay together",
  );
  cluster.network.heal();
  cluster.network.drop({ from: 1, probability: 0.5 });
  cluster.network.delay({ from: 1, to: 3, ms: 10 });
  assert.deepEqual(cluster.network.rules, [
    { from: 1, to: 2, cut: false, drop: 0.5, delay: 0, jitter: 0 },
    { from: 1, to: 3, cut: false, drop: 0.5, delay: 10, jitter: 0 },
  ]);
  assert.deepEqual((await cluster.status()).rules, cluster.network.rules);
  for (const wrong of [
    () => cluster.network.partition(),
    () => cluster.network.partition(1, 2),
    () => cluster.network.partition(Object.create(null)),
    () => cluster.network.partition([1, 4]),
    () => cluster.network.partition([1], [1, 2]),
    () => cluster.network.isolate("1"),
    () => cluster.network.drop({ probability: 2 }),
    () => cluster.network.drop({ probability: 0.1, from: 0 }),
    () => cluster.network.delay({ ms: -1 }),
    () => cluster.network.delay({ ms: 1, jitters: 2 }),
  ]) {
    await failure(wrong, "INVALID_ARGUMENT");
  }
  assert.equal(cluster.network.rules.length, 2, "a refused rule changes nothing");
});
