// Reads that one node answers, and reads under a lease.

import assert from "node:assert/strict";
import { test } from "node:test";
import { failure, open, others } from "./help.mjs";

test("each node answers reads itself, and none is older than what was acknowledged", async (t) => {
  const cluster = await open(t);
  const leader = await cluster.leader();
  for (let n = 1; n <= 30; n++) {
    await cluster.kv.put("k", n);
    for (const { id, kv } of cluster.nodes) {
      assert.equal((await kv.get("k")).value, n, `node ${id}, the leader is ${leader}`);
    }
  }
  const { entries, count } = await cluster.node(others(cluster, leader)[0]).kv.range();
  assert.deepEqual([entries[0].key, count], ["k", 1]);
  const { kv } = cluster.node(1);
  await cluster.kv.as("utf8").put("text", "plain");
  assert.equal((await kv.as("utf8").get("text")).value, "plain");
  assert.equal(kv.put, undefined, "reads only");
});

test("a node that is cut off answers nothing, and catches up", async (t) => {
  const cluster = await open(t);
  const leader = await cluster.leader();
  const [alone] = others(cluster, leader);
  await cluster.kv.put("k", 1);
  cluster.network.partition([alone]);
  await cluster.kv.put("k", 2);
  const { kv } = cluster.node(alone);
  await failure(kv.get("k", { timeout: 700 }), "TIMEOUT");
  cluster.network.heal();
  assert.equal((await kv.get("k")).value, 2);
  await cluster.node(alone).kill();
  const waiting = kv.get("k");
  await cluster.node(alone).start();
  assert.equal((await waiting).value, 2, "a call waits for its node");
});

test("reads under a lease are right, through changes of the leader", async (t) => {
  const cluster = await open(t, { reads: "lease" });
  for (let round = 1; round <= 3; round++) {
    for (let n = 0; n < 100; n++) {
      const value = round * 1_000 + n;
      await cluster.kv.put("k", value);
      assert.equal((await cluster.kv.get("k")).value, value);
    }
    const leader = await cluster.leader();
    if (round === 1) await cluster.leadership.transferTo(others(cluster, leader)[0]);
    else await cluster.node(leader).kill();
    assert.equal((await cluster.kv.get("k")).value, round * 1_000 + 99);
    if (round === 2) await cluster.node(leader).start();
  }
});

test("how to read is checked before anything starts", async (t) => {
  await failure(open(t, { reads: "stale" }), "INVALID_OPTION");
});
