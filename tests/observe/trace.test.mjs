// What a profiler sees of a node: measures on its own track, and only when they are asked for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { open, until } from "../node/help.mjs";

/** A cluster whose workers tell their measures. */
async function traced(t, options) {
  const name = `trace-${process.pid}-${Math.random()}`;
  const channel = new BroadcastChannel(name);
  t.after(() => channel.close());
  const measures = [];
  const kept = [];
  channel.onmessage = ({ data }) => {
    measures.push(...data.measures);
    kept.push(data.kept);
  };
  const createWorker = () =>
    new Worker(new URL("traced-worker.mjs", import.meta.url), { workerData: name });
  const cluster = await open(t, { createWorker, ...options });
  return { cluster, measures, kept };
}

const tracks = (measures, name) =>
  new Set(
    measures
      .filter((measure) => measure.name === name)
      .map(({ detail }) => `${detail.devtools.trackGroup}: ${detail.devtools.track}`),
  );

test("starts, elections, commits, durable writes and snapshots are measured", async (t) => {
  const { cluster, measures, kept } = await traced(t, { trace: true, snapshotEntries: 100 });
  const leader = await cluster.leader();
  for (let n = 0; n < 300; n += 10)
    await Promise.all(Array.from({ length: 10 }, (_, at) => cluster.kv.put(`k${at}`, n)));
  const entries = () =>
    measures
      .filter(({ name }) => name === "quorate commit")
      .map(({ detail }) => Number(Object.fromEntries(detail.devtools.properties).entries))
      .reduce((all, count) => all + count, 0);
  await until(() => entries() >= 300, "all writes are in measures");
  await cluster.node(leader).kill();
  await cluster.leader();
  await cluster.kv.put("k", 1);
  await cluster.node(leader).start();
  const seen = (name, count) => measures.filter((measure) => measure.name === name).length >= count;
  for (const [name, count] of [
    ["quorate start", 4],
    ["quorate election", 4],
    ["quorate commit", 30],
    ["quorate persist", 60],
    ["quorate snapshot", 3],
  ]) {
    await until(() => seen(name, count), `${count} times ${name}`);
  }
  assert.deepEqual(
    tracks(measures, "quorate persist"),
    new Set([1, 2, 3].map((id) => `Quorate test: node ${id}`)),
  );
  for (const { name, startTime, duration, detail } of measures) {
    assert.match(name, /^quorate (start|election|commit|persist|snapshot|restore)$/);
    assert.ok(startTime >= 0 && duration >= 0, name);
    assert.equal(detail.devtools.dataType, "track-entry");
  }
  assert.equal(Math.max(...kept), 0, "the timeline keeps none of them");
});

test("nothing is measured unless it is asked for, and it ends when it is not", async (t) => {
  const { cluster, measures } = await traced(t, {});
  await cluster.kv.put("k", 1);
  cluster.trace(true);
  for (let n = 0; n < 5; n++) await cluster.kv.put("k", n);
  await until(() => tracks(measures, "quorate persist").size === 3, "all nodes tell");
  assert.equal(tracks(measures, "quorate start").size, 0, "what was before was not measured");
  const [other] = cluster.nodes.map(({ id }) => id);
  await cluster.node(other).kill();
  await cluster.node(other).start();
  await until(() => tracks(measures, "quorate start").size === 1, "a new start is measured");
  cluster.trace(false);
  // An answer comes after what was told before.
  await cluster.status();
  await cluster.kv.put("k", 6);
  await cluster.status();
  const before = measures.length;
  for (let n = 0; n < 20; n++) await cluster.kv.put("k", n);
  cluster.trace(true);
  await cluster.kv.put("k", 0);
  await until(() => measures.length > before + 3, "measures come again");
  assert.ok(
    measures.length - before < 40,
    `${measures.length - before}, and not of 20 writes more`,
  );
});
