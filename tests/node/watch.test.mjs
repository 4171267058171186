// Watches: every change, in order, once, whatever happens to nodes and to whoever takes them slowly.

import assert from "node:assert/strict";
import test from "node:test";

import { failure, open, others } from "./help.mjs";

/** So many events. */
async function take(watch, count) {
  const events = [];
  while (events.length < count) {
    const { done, value } = await watch.next();
    assert.equal(done, false, `it ends after ${events.length} of ${count}`);
    events.push(value);
  }
  return events;
}

test("a watch tells of puts and deletions, with what was there", async (t) => {
  const { kv } = await open(t);
  await kv.put("cart/1", "old");
  const watch = kv.watch({ prefix: "cart/" }, { previous: true });
  const from = await watch.ready;
  const put = await kv.put("cart/1", "new");
  assert.equal(put.revision, from);
  await kv.put("other", 1);
  const gone = await kv.delete("cart/1");
  const [first, second] = await take(watch, 2);
  assert.deepEqual(
    [first.type, first.key, first.value, first.modRevision, first.version],
    ["put", "cart/1", "new", put.revision, 2],
  );
  assert.deepEqual(first.keyBytes, new TextEncoder().encode("cart/1"));
  assert.equal(first.previous.value, "old");
  assert.deepEqual(
    [second.type, second.modRevision, second.previous.value],
    ["delete", gone.revision, "new"],
  );
  watch.close();
  assert.deepEqual(await watch.next(), { done: true, value: undefined });
});

test("a loop ends a watch when it is left, and a signal does", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const watch = kv.watch("a");
  await watch.ready;
  await kv.put("a", 1);
  for await (const event of watch) {
    assert.equal(event.value, 1);
    break;
  }
  assert.equal((await watch.next()).done, true);
  const controller = new AbortController();
  const waiting = kv.watch("a", { signal: controller.signal });
  const end = failure(waiting.next(), "ABORTED");
  await waiting.ready;
  controller.abort("enough");
  assert.equal((await end).cause, "enough");
  assert.equal((await waiting.next()).done, true);
  const late = kv.watch("a", { signal: controller.signal });
  await failure(late.ready, "ABORTED");
  await failure(late.next(), "ABORTED");
});

test("a watch that ends before it began says so at once, also without a majority", async (t) => {
  const cluster = await open(t);
  const { kv } = cluster;
  await kv.put("a", 1);
  await Promise.all([1, 2].map((id) => cluster.node(id).kill()));
  const began = performance.now();
  const control = new AbortController();
  const aborted = kv.watch("a", { signal: control.signal });
  const next = failure(aborted.next(), "ABORTED");
  control.abort("enough");
  assert.equal((await failure(aborted.ready, "ABORTED")).cause, "enough");
  await next;
  const closed = kv.watch("a");
  closed.close();
  await failure(closed.ready, "ABORTED");
  const late = kv.watch("a", { signal: control.signal, from: 1 });
  await failure(late.ready, "ABORTED");
  assert.ok(performance.now() - began < 5_000, "no deadline was waited for");
});

test("a watch begins in the past, and filters what nobody wants", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  for (let value = 1; value <= 3; value++) await kv.put("a", value);
  await kv.delete("a");
  const puts = kv.watch("a", { from: 2, only: "put" });
  assert.deepEqual(
    (await take(puts, 2)).map(({ value }) => value),
    [2, 3],
  );
  const deletes = kv.watch("a", { from: 1, only: "delete" });
  assert.equal((await take(deletes, 1))[0].modRevision, 4);
  const all = kv.watch({}, { from: 1 });
  assert.deepEqual(
    (await take(all, 4)).map(({ modRevision }) => modRevision),
    [1, 2, 3, 4],
  );
  for (const watch of [puts, deletes, all]) watch.close();
});

test("a transaction's changes come one after another, in the order of their keys", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const watch = kv.watch();
  await watch.ready;
  const then = ["c", "a", "b"].map((put) => ({ put, value: 1 }));
  const { revision } = await kv.txn({ do: then });
  assert.deepEqual(
    (await take(watch, 3)).map(({ key, modRevision }) => [key, modRevision]),
    [
      ["a", revision],
      ["b", revision],
      ["c", revision],
    ],
  );
});

test("whoever takes slowly gets all from the past, divided revisions included", async (t) => {
  const { kv } = await open(t);
  const slow = kv.watch({ prefix: "k" }, { buffer: 3 });
  await slow.ready;
  for (let round = 0; round < 5; round++) {
    const then = Array.from({ length: 10 }, (_, at) => ({ put: `k${at}`, value: round }));
    await kv.txn({ do: then });
  }
  const events = await take(slow, 50);
  assert.deepEqual(
    events.map(({ key, value }) => `${value}${key}`),
    Array.from({ length: 50 }, (_, at) => `${Math.floor(at / 10)}k${at % 10}`),
  );
  slow.close();
});

test("whoever is so slow that the past is gone is told where to go on", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const slow = kv.watch("a", { buffer: 1 });
  await slow.ready;
  for (let value = 1; value <= 5; value++) await kv.put("a", value);
  await kv.compact(4);
  assert.equal((await slow.next()).value.value, 1);
  const error = await failure(slow.next(), "COMPACTED");
  assert.equal(error.resumeFrom, 5);
});

test("many watches of one client: each gets its own, and all of it", async (t) => {
  const { kv } = await open(t);
  const watches = Array.from({ length: 200 }, (_, at) => kv.watch(`k${at}`));
  const everything = kv.watch({ prefix: "k" });
  await Promise.all([...watches, everything].map(({ ready }) => ready));
  await Promise.all(watches.map((_, at) => kv.put(`k${at}`, at)));
  for (const [at, watch] of watches.entries())
    assert.deepEqual((await take(watch, 1))[0].value, at);
  const seen = new Set((await take(everything, 200)).map(({ value }) => value));
  assert.equal(seen.size, 200);
});

test("marks of progress come when nothing else does", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const watch = kv.watch("a", { progress: true });
  await watch.ready;
  const { revision } = await kv.put("other", 1);
  assert.deepEqual((await watch.next()).value, { type: "progress", revision });
});

test("watches outlive kills of leaders and followers, partitions and writers", async (t) => {
  const cluster = await open(t, { nodes: 5 });
  const { kv } = cluster;
  const watch = kv.watch({ prefix: "k/" });
  const late = kv.watch({ prefix: "k/" }, { from: 1, buffer: 7 });
  await watch.ready;
  const writes = 300;
  const writing = (async () => {
    for (let value = 0; value < writes; value++) await kv.put(`k/${value % 11}`, value);
  })();
  for (let round = 0; round < 2; round++) {
    const leader = await cluster.leader();
    await cluster.node(leader).kill();
    const next = await cluster.leader();
    await cluster.node(leader).start();
    const [other] = others(cluster, next);
    cluster.network.isolate(next, other);
    await cluster.leader();
    cluster.network.heal();
  }
  await writing;
  for (const it of [watch, late]) {
    const values = (await take(it, writes)).map(({ value }) => value);
    assert.deepEqual(
      values,
      Array.from({ length: writes }, (_, at) => at),
    );
  }
});

test("a watch whose node is cut off goes on elsewhere", async (t) => {
  const cluster = await open(t);
  const { kv } = cluster;
  await kv.put("a", 0);
  const watch = kv.watch("a");
  await watch.ready;
  // It waits at the leader, which this client has just asked.
  cluster.network.isolate(await cluster.leader());
  await kv.put("a", 1);
  assert.equal((await watch.next()).value.value, 1);
});

test("a cluster that closes ends its watches with an error", async (t) => {
  const cluster = await open(t, { nodes: 1 });
  const watch = cluster.kv.watch("a");
  const end = failure(watch.next(), "CLOSED");
  await watch.ready;
  await cluster.close();
  await end;
  assert.equal((await watch.next()).done, true);
  await failure(cluster.kv.watch("a").next(), "CLOSED");
});

test("what makes no sense is refused at once", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  for (const [selection, options] of [
    ["", {}],
    [5, {}],
    [{ key: "a" }, {}],
    [{ start: "b", end: "a" }, {}],
    [{ prefix: "a", end: "a" }, {}],
    ["a", { from: 0 }],
    ["a", { from: "1" }],
    ["a", { only: "puts" }],
    ["a", { buffer: 0 }],
    ["a", { buffer: 2e6 }],
    ["a", { previous: 1 }],
    ["a", { progress: "yes" }],
    ["a", { signal: "now" }],
    ["a", { timeout: 5 }],
  ])
    assert.throws(() => kv.watch(selection, options), { code: "INVALID_ARGUMENT" });
});
