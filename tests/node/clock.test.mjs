// A clock that somebody has replaced, and that fails: the node goes on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { open } from "./help.mjs";

test("a clock that throws, or says what no clock says, is no end of a node", async (t) => {
  const name = `clock-${process.pid}`;
  const channel = new BroadcastChannel(name);
  t.after(() => channel.close());
  const createWorker = () =>
    new Worker(new URL("clock-worker.mjs", import.meta.url), { workerData: name });
  const cluster = await open(t, { createWorker, snapshotEntries: 50 });
  channel.postMessage(true);
  for (let n = 0; n < 200; n++) {
    await cluster.kv.put("k", n);
    for (const { metrics } of (await cluster.metrics()).nodes) assert.ok(metrics?.uptime > 0);
  }
  channel.postMessage(false);
  assert.equal((await cluster.kv.get("k")).value, 199);
  for (const node of cluster.nodes) assert.equal(node.state, "running");
});
