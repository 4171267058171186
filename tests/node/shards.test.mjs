// A sharded store on threads of Node: its face, its groups, its moves, and what it refuses. `tests/nemesis` has the faults.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout } from "node:timers/promises";
import { ShardedCluster } from "quorate/shards";
import { event, failure, scratch, until } from "./help.mjs";

/** A store that is closed when the test ends. */
async function open(t, options = {}) {
  const store = await ShardedCluster.open({
    name: "test",
    storage: "memory",
    shards: 8,
    ...options,
  });
  t.after(() => store.close());
  return store;
}

const keysOf = ({ entries }) => entries.map(({ key }) => key);
const names = Array.from({ length: 100 }, (_, at) => `k/${String(at).padStart(3, "0")}`);
const fill = (kv) => Promise.all(names.map((name, at) => kv.put(name, at)));
/** Two keys of different shards, and one of the first one's. */
function threeKeys({ shards }) {
  const [one] = names;
  const other = names.find((name) => shards.of(name) !== shards.of(one));
  const same = names.find((name) => name !== one && shards.of(name) === shards.of(one));
  return { one, other, same };
}

test("keys that are named are as in any store, wherever they are", async (t) => {
  const { kv } = await open(t);
  const { revision } = await kv.put("a", { n: 1 });
  assert.deepEqual((await kv.get("a")).value, { n: 1 });
  assert.equal((await kv.get("a")).modRevision, revision);
  assert.equal((await kv.get("a", { serializable: true }))?.version ?? 1, 1);
  assert.deepEqual((await kv.put("a", 2, { previous: true })).previous.value, { n: 1 });
  assert.equal((await kv.compareAndSwap("a", 2, 3)).swapped, true);
  assert.equal((await kv.compareAndSwap("a", 2, 4)).current.value, 3);
  assert.equal((await kv.increment("n", 5)).value, 5);
  await kv.as("utf8").append("text", "ab");
  await kv.as("utf8").append("text", "cd");
  assert.equal((await kv.as("utf8").get("text")).value, "abcd");
  assert.equal((await kv.delete("a")).deleted, true);
  assert.equal(await kv.get("a"), null);
  await failure(kv.put("", 1), "INVALID_ARGUMENT");
  await failure(kv.put("x".repeat(4_097), 1), "KEY_TOO_LARGE");
});

test("a range over all shards is in order, and goes on where it was cut", async (t) => {
  const store = await open(t);
  const { kv } = store;
  await fill(kv);
  await kv.put("other", 1);
  const prefix = "k/";
  assert.deepEqual(keysOf(await kv.range({ prefix })), names);
  const first = await kv.range({ prefix, limit: 7 });
  assert.deepEqual(keysOf(first), names.slice(0, 7));
  assert.deepEqual([first.count, first.more], [100, true]);
  const rest = await kv.range({ start: first.next, end: "k0" });
  assert.deepEqual(keysOf(rest), names.slice(7));
  assert.equal(rest.more, false);
  const last = await kv.range({ prefix, descending: true, limit: 3 });
  assert.deepEqual(keysOf(last), names.slice(-3).reverse());
  assert.equal((await kv.range({ only: "count" })).count, 101);
  const keys = await kv.range({ prefix, only: "keys", orderBy: "value", limit: 2 });
  assert.deepEqual(keysOf(keys), ["k/000", "k/001"]);
  assert.equal(keys.entries[0].value, undefined);
  await kv.put(names[3], 1_000);
  assert.deepEqual(keysOf(await kv.range({ orderBy: "version", descending: true, limit: 1 })), [
    names[3],
  ]);
  for (const bad of [{ orderBy: "modRevision" }, { minModRevision: 3 }, { limit: 0 }])
    await failure(kv.range(bad), "INVALID_ARGUMENT");
  await failure(kv.range({}, { revision: 3 }), "INVALID_ARGUMENT");
});

test("a long range comes in parts that miss nothing", async (t) => {
  const { kv } = await open(t, { shards: 2 });
  const bytes = kv.as("bytes");
  const many = Array.from({ length: 40 }, (_, at) => `v/${String(at).padStart(2, "0")}`);
  // Three of them are more than one answer of a shard holds.
  await Promise.all(many.map((key) => bytes.put(key, new Uint8Array(400_000))));
  const seen = [];
  let [start, parts] = ["v/", 0];
  while (start !== undefined) {
    const part = await bytes.range({ start, end: "v0" });
    seen.push(...keysOf(part));
    start = part.next;
    parts++;
  }
  assert.deepEqual(seen, many);
  assert.ok(parts > 3, `${parts} parts`);
  await failure(bytes.range({ orderBy: "version" }), "REPLY_TOO_LARGE");
});

test("keys are removed in all shards", async (t) => {
  const { kv } = await open(t);
  await fill(kv);
  await kv.put("other", 1);
  const { deleted, previous } = await kv.deleteRange({ prefix: "k/" }, { previous: true });
  assert.equal(deleted, 100);
  assert.deepEqual(
    previous.map(({ key, value }) => [key, value]),
    names.map((name, at) => [name, at]),
  );
  assert.equal((await kv.range({ only: "count" })).count, 1);
  await failure(kv.deleteRange({}), "INVALID_ARGUMENT");
});

test("a transaction is of one shard, and the keys of others are named", async (t) => {
  const store = await open(t);
  const { kv } = store;
  const { one, other, same } = threeKeys(store);
  const both = (second) =>
    kv.txn({
      if: [{ key: one, version: 0 }],
      do: [
        { put: one, value: 1 },
        { put: second, value: 2 },
      ],
    });
  const error = await failure(both(other), "CROSS_SHARD");
  assert.equal(error.outcome, "not-applied");
  assert.ok(error.place.includes(one) && error.place.includes(other), error.place);
  assert.equal(await kv.get(one), null);
  assert.equal((await both(same)).succeeded, true);
  assert.equal((await kv.get(same)).value, 2);
  const wide = { do: [{ put: one, value: 1 }, { deleteRange: { prefix: "k/" } }] };
  await failure(kv.txn(wide), "CROSS_SHARD");
  assert.equal((await kv.get(same)).value, 2);
  // With one tag they are in one shard, and so are ranges of them.
  await kv.txn({
    do: [
      { put: "{t}/a", value: 1 },
      { put: "{t}/b", value: 2 },
    ],
  });
  const { results } = await kv.txn({ do: [{ range: { prefix: "{t}/" } }] });
  assert.deepEqual(keysOf(results[0]), ["{t}/a", "{t}/b"]);
  assert.equal(store.shards.of("x{t}"), store.shards.of("{t}/a"));
});

test("a transaction that makes no sense is refused as in any store", async (t) => {
  const { kv } = await open(t);
  const endless = { do: [] };
  endless.do.push({ txn: endless });
  for (const bad of [
    { do: [null] },
    { do: 1 },
    { if: [{ key: 1, version: 0 }] },
    { otherwise: [] },
  ])
    await failure(kv.txn(bad), "INVALID_ARGUMENT");
  await failure(kv.txn(endless), "TOO_MANY_OPERATIONS");
  await failure(kv.put("", 1, { lease: {} }), "INVALID_ARGUMENT");
});

test("a shard is a store of its own, for its own keys", async (t) => {
  const store = await open(t);
  const { one, other, same } = threeKeys(store);
  await fill(store.kv);
  const kv = store.kv.in(one);
  const inside = names.filter((name) => store.shards.of(name) === store.shards.of(one));
  const whole = await kv.range({ prefix: "k/" });
  assert.deepEqual(keysOf(whole), inside);
  assert.ok(whole.revision >= inside.length);
  await failure(kv.get(other), "CROSS_SHARD");
  await failure(kv.put(other, 1), "CROSS_SHARD");
  const lease = await kv.lease({ ttl: 60_000 });
  await kv.put(same, "held", { lease });
  await store.kv.put(one, "held", { lease });
  await failure(store.kv.put(other, "held", { lease }), "INVALID_ARGUMENT");
  assert.deepEqual(await kv.leases(), [lease.id]);
  await lease.revoke();
  assert.equal(await store.kv.get(same), null);
  assert.equal(await store.kv.get(one), null);
});

test("recipes are in the shard of their name, and go on while it moves", async (t) => {
  const store = await open(t);
  const { kv } = store;
  const lock = await kv.lock("a");
  assert.equal(lock.name, "{a}");
  assert.equal(await kv.tryLock("a"), null);
  assert.equal(store.shards.of(lock.condition.key), store.shards.of("{a}"));
  const queue = kv.queue("jobs {t}/1");
  await queue.enqueue({ n: 1 });
  const counter = kv.counter("c");
  await counter.add(2);
  const groups = store.groups.list().map(({ id }) => id);
  const move = async (shard) => {
    const from = store.shards.list()[shard];
    await store.shards.move(
      shard,
      groups.find((id) => id !== from),
    );
  };
  for (const key of ["{a}", "{t}", "{c}"]) await move(store.shards.of(key));
  assert.equal(lock.lost.aborted, false);
  assert.equal(await kv.tryLock("a"), null);
  const { succeeded } = await kv.txn({ if: [lock.condition], do: [{ put: "{a}", value: 1 }] });
  assert.equal(succeeded, true);
  await lock.release();
  await (await kv.tryLock("a")).release();
  assert.deepEqual(await queue.take(), { n: 1 });
  assert.equal(await counter.add(1), 3);
});

test("a watch over all shards tells of each change once, wherever its shard goes", async (t) => {
  const store = await open(t, { groups: 3 });
  const { kv } = store;
  const watch = kv.watch({ prefix: "k/" }, { buffer: 16 });
  await watch.ready;
  const last = new Map();
  const heard = (async () => {
    let count = 0;
    for await (const { key, value, shard, modRevision } of watch) {
      assert.equal(shard, store.shards.of(key));
      assert.ok(modRevision > (last.get(shard) ?? 0), "in the order of each shard");
      last.set(shard, modRevision);
      assert.equal(value, count >= names.length ? `${key} again` : names.indexOf(key));
      if (++count === 2 * names.length) return;
    }
  })();
  await fill(kv);
  // Half of what is to come is not heard before all shards are elsewhere.
  await until(() => last.size === 8, "all shards told something");
  for (let shard = 0; shard < 8; shard++)
    await store.shards.move(shard, (store.shards.list()[shard] % 3) + 1);
  await until(() => [...last.values()].length === 8, "the first half");
  await Promise.all(names.map((name) => kv.put(name, `${name} again`)));
  await heard;
  const from = watch.positions;
  watch.close();
  assert.equal((await watch.next()).done, true);
  // Another one goes on there.
  const next = kv.watch({ prefix: "k/" }, { from });
  const { value } = await next.next();
  assert.equal(value.modRevision, from[value.shard]);
  next.close();
  assert.throws(() => kv.watch({}, { from: [1] }), { code: "INVALID_ARGUMENT" });
});

test("groups come and go, and the controller knows what was", async (t) => {
  const store = await open(t, { groups: 1, shards: 6 });
  const { groups, shards, kv } = store;
  await fill(kv);
  const moved = [];
  store.addEventListener("migration", ({ detail }) => moved.push(detail));
  const seen = event(store, "configuration", ({ number }) => number === 2);
  assert.equal(await groups.add(), 2);
  assert.deepEqual(
    (await seen).groups.map(({ id }) => id),
    [1, 2],
  );
  assert.deepEqual([...shards.list()].sort(), [1, 1, 1, 2, 2, 2]);
  const arrived = moved.filter(({ phase }) => phase === "done");
  assert.deepEqual(
    arrived.map(({ from, to, configuration }) => [from, to, configuration]),
    Array(3).fill([1, 2, 2]),
  );
  await groups.setWeight(2, 2);
  assert.equal(shards.list().filter((group) => group === 2).length, 4);
  await groups.remove(1);
  assert.deepEqual(new Set(shards.list()), new Set([2]));
  assert.equal(await groups.add({ nodes: [1, 3], weight: 5 }), 3);
  assert.deepEqual(groups.list().at(-1), { id: 3, weight: 5, nodes: [1, 3] });
  assert.deepEqual((await shards.configuration(1)).shards, [1, 1, 1, 1, 1, 1]);
  assert.equal((await kv.range({ prefix: "k/", only: "count" })).count, 100);
  const status = await store.status();
  assert.deepEqual(
    status.groups.map(({ id }) => id),
    [0, 2, 3],
  );
  assert.deepEqual(
    status.groups[2].replicas.map(({ node }) => node),
    [1, 3],
  );
  const served = status.groups.flatMap((group) => group.shards.map(({ shard }) => shard));
  assert.deepEqual(served.sort(), [0, 1, 2, 3, 4, 5]);
});

test("a call whose time is up says what it did, and the shards go on", async (t) => {
  const store = await open(t, { groups: 1 });
  const { groups, shards, kv } = store;
  await store.node(3).kill();
  const { outcome } = await failure(groups.add({ nodes: [3], timeout: 700 }), "TIMEOUT");
  assert.equal(outcome, "applied");
  assert.ok(shards.list().includes(2));
  await store.node(3).start();
  await groups.setWeight(1, 1);
  await fill(kv);
  assert.equal((await store.status()).groups[2].shards.length, 4);
  assert.deepEqual(keysOf(await kv.range({ prefix: "k/" })), names);
});

test("what cannot be is refused, and nothing changes", async (t) => {
  const store = await open(t, { groups: 1 });
  const { groups, shards } = store;
  const before = await shards.configuration();
  await failure(groups.remove(1), "LAST_GROUP");
  await failure(groups.remove(7), "UNKNOWN_GROUP");
  await failure(groups.setWeight(7, 2), "UNKNOWN_GROUP");
  await failure(groups.setWeight(1, 0), "INVALID_ARGUMENT");
  await failure(groups.add({ nodes: [] }), "INVALID_ARGUMENT");
  await failure(groups.add({ nodes: [1, 1] }), "INVALID_ARGUMENT");
  await failure(groups.add({ nodes: [9] }), "INVALID_ARGUMENT");
  await failure(groups.add({ id: 5 }), "INVALID_ARGUMENT");
  await failure(shards.move(8, 1), "UNKNOWN_SHARD");
  await failure(shards.move(0, 7), "UNKNOWN_GROUP");
  await failure(shards.configuration(2), "FUTURE_CONFIG");
  await failure(shards.configuration(-1), "INVALID_ARGUMENT");
  assert.deepEqual(await shards.configuration(), before);
  for (const options of [
    { shards: 0 },
    { shards: 4_097 },
    { groups: 0 },
    { groups: 1_025 },
    { replicas: 4 },
    { rebalance: 1 },
    { rebalance: { gain: 0 } },
    { machine: "file:///a.js" },
    { reads: "lease" },
  ]) {
    const opening = ShardedCluster.open({ name: "bad", storage: "memory", ...options });
    const error = await failure(opening, "INVALID_OPTION");
    assert.match(error.message, /^ShardedCluster\.open: /);
  }
  await store.close();
  await failure(store.kv.put("a", 1), "CLOSED");
  await failure(groups.add(), "CLOSED");
  await failure(store.status(), "CLOSED");
});

test("what is on disk is there again, with its shards where they were", async (t) => {
  const directory = scratch(t);
  const options = { storage: "directory", directory };
  const first = await open(t, options);
  await fill(first.kv);
  await first.shards.move(0, 2);
  const was = first.shards.list();
  const { id } = first;
  await first.close();
  await failure(open(t, { ...options, shards: 9 }), "SHARD_COUNT");
  const again = await open(t, { ...options, shards: undefined, groups: 5 });
  assert.deepEqual([again.id, again.origin, again.shards.count], [id, "restored", 8]);
  assert.deepEqual(again.shards.list(), was);
  assert.deepEqual(keysOf(await again.kv.range({ prefix: "k/" })), names);
});

/** Kills a node, and takes its storage away. */
async function lose(store, directory, node) {
  await store.node(node).kill();
  rmSync(join(directory, `node-${node}`), { recursive: true });
}

/** Waits until all groups serve without this node: both of the others have a vote in each. */
async function served(store, without) {
  const bounds = { timeout: 2_000 };
  const serves = async () => {
    await store.node(without).kill();
    const reads = names.map((name) => store.kv.get(name, bounds));
    const all = [store.shards.configuration(undefined, bounds), ...reads];
    const [known, ...values] = await Promise.allSettled(all);
    await store.node(without).start();
    const isServed =
      values.every(({ value }, at) => value?.value === at) && known.value !== undefined;
    // A node is taken in again while all are there.
    if (!isServed) await setTimeout(1_000);
    return isServed;
  };
  await until(serves, `all is served without node ${without}`, 60_000);
}

test("a group begins with the storages that its nodes have, whatever they had", async (t) => {
  const directory = scratch(t);
  const store = await open(t, { storage: "directory", directory });
  const { kv, groups, shards } = store;
  await fill(kv);
  // Two of three, one after the other: who is left of the founders is fewer than half.
  await lose(store, directory, 2);
  await store.node(2).start();
  await served(store, 1);
  await lose(store, directory, 3);
  await store.node(3).start();
  await served(store, 1);
  const group = await groups.add();
  assert.ok(shards.list().includes(group));
  for (const node of [1, 2, 3]) await served(store, node);
  // Nor does it matter which storages there were when the next was added.
  await lose(store, directory, 1);
  const next = await groups.add();
  assert.ok(shards.list().includes(next));
  await store.node(1).start();
  for (const node of [2, 3]) await served(store, node);
  await store.close();
  const again = await open(t, { storage: "directory", directory });
  assert.ok(again.shards.list().includes(group));
  for (const node of [1, 2, 3]) await served(again, node);
});

test("a shard with much to do leaves a group that has another one", async (t) => {
  const store = await open(t, {
    shards: 4,
    rebalance: { interval: 200, gain: 0.2, minRate: 1 },
  });
  const { kv, shards } = store;
  const [one] = names;
  const hot = shards.list()[shards.of(one)];
  const other = names.find(
    (name) => shards.of(name) !== shards.of(one) && shards.list()[shards.of(name)] === hot,
  );
  const isApart = () => shards.list()[shards.of(one)] !== shards.list()[shards.of(other)];
  let over = false;
  const work = [one, other].map(async (key) => {
    while (!over) await kv.increment(key);
  });
  await until(isApart, "the two are in different groups");
  over = true;
  await Promise.all(work);
});
