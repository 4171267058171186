// A cluster of threads: election, the store, kills and restarts, state on disk.

import assert from "node:assert/strict";
import test from "node:test";
import { converged, event, failure, open, others, picture, scratch } from "./help.mjs";

test("three nodes elect one leader", async (t) => {
  const cluster = await open(t);
  const leader = await cluster.leader();
  const { nodes } = await picture(cluster, ({ nodes }) =>
    nodes.every(({ status }) => status?.leader === leader),
  );
  assert.deepEqual(
    nodes.map(({ state }) => state),
    ["running", "running", "running"],
  );
  assert.equal(nodes.filter(({ status }) => status.role === "leader").length, 1);
  assert.equal(new Set(nodes.map(({ status }) => status.term)).size, 1);
});

test("one node alone is a cluster", async (t) => {
  const cluster = await open(t, { nodes: 1 });
  await cluster.kv.put("k", 1);
  assert.equal((await cluster.kv.get("k")).value, 1);
});

test("seven nodes work, five of them through the loss of two", async (t) => {
  const cluster = await open(t, { nodes: 7 });
  await cluster.kv.put("k", 7);
  await Promise.all([cluster.node(1).kill(), cluster.node(4).kill()]);
  await cluster.kv.put("k", 5);
  assert.equal((await cluster.kv.get("k")).value, 5);
});

test("what was put is read, with its history", async (t) => {
  const { kv } = await open(t);
  assert.equal(await kv.get("cart"), null);
  const first = await kv.put("cart", { items: 3, notes: ["ä", null, true] });
  const second = await kv.put("cart", { items: 4 });
  assert.ok(second.revision > first.revision);
  assert.deepEqual(await kv.get("cart"), {
    value: { items: 4 },
    createRevision: first.revision,
    modRevision: second.revision,
    version: 2,
    lease: 0,
  });
  assert.equal((await kv.delete("cart")).deleted, true);
  assert.equal((await kv.delete("cart")).deleted, false);
  assert.equal(await kv.get("cart"), null);
});

test("values pass through each codec unharmed", async (t) => {
  const { kv } = await open(t);
  for (const value of [
    null,
    false,
    0,
    -1.5,
    "",
    "text \u{1f600}",
    [],
    {},
    [[1], { a: { b: null } }],
  ]) {
    await kv.put("json", value);
    assert.deepEqual((await kv.get("json")).value, value);
  }
  const texts = kv.as("utf8");
  for (const value of ["", "plain", "\u{feff}with a mark", "\0\u{1f600}"]) {
    await texts.put("text", value);
    assert.equal((await texts.get("text")).value, value);
  }
  const bytes = kv.as("bytes");
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  await bytes.put(all, all);
  assert.deepEqual((await bytes.get(all)).value, all);
  await failure(kv.get(all), "ENCODING");
  await failure(kv.as("utf8").get(all), "ENCODING");
});

test("append, increment and compare-and-swap answer what they did", async (t) => {
  const { kv } = await open(t);
  const text = kv.as("utf8");
  const one = await text.append("log", "one,");
  assert.ok((await text.append("log", "zwei")).revision > one.revision);
  assert.equal((await text.get("log")).value, "one,zwei");

  assert.equal((await kv.increment("n")).value, 1);
  assert.equal((await kv.increment("n", 41)).value, 42);
  assert.equal((await kv.increment("n", -50)).value, -8);
  assert.equal((await kv.get("n")).value, -8, "a counter is a JSON number");
  await failure(
    text.put("word", "no number").then(() => kv.increment("word")),
    "NOT_AN_INTEGER",
  );
  const max = Number.MAX_SAFE_INTEGER;
  assert.equal((await kv.increment("big", max)).value, max);
  const beyond = await failure(kv.increment("big", 1), "NUMBER_TOO_LARGE");
  assert.equal(beyond.outcome, "applied");

  const created = await kv.compareAndSwap("lock", undefined, "me");
  assert.equal(created.swapped, true);
  const refused = await kv.compareAndSwap("lock", undefined, "you");
  assert.equal(refused.swapped, false);
  assert.equal(refused.current.value, "me");
  assert.equal((await kv.compareAndSwap("lock", "me", "you")).swapped, true);
  assert.equal(
    (await kv.compareAndSwap("lock", "you", undefined)).swapped,
    true,
    "undefined removes",
  );
  assert.equal(await kv.get("lock"), null);
  const absent = await kv.compareAndSwap("lock", "you", "me");
  assert.deepEqual([absent.swapped, absent.current], [false, null]);
});

test("ranges are ordered, cut, counted and continued", async (t) => {
  const { kv } = await open(t);
  const keys = ["a", "cart/1", "cart/2", "cart/3", "cart0", "z"];
  await Promise.all(keys.map((key, at) => kv.put(key, at)));
  const names = ({ entries }) => entries.map(({ key }) => key);
  assert.deepEqual(names(await kv.range()), keys);
  assert.deepEqual(names(await kv.range({ prefix: "cart/" })), ["cart/1", "cart/2", "cart/3"]);
  assert.deepEqual(names(await kv.range({ start: "cart/2", end: "z" })), [
    "cart/2",
    "cart/3",
    "cart0",
  ]);
  assert.deepEqual(names(await kv.range({ prefix: "cart/", start: "cart/2" })), [
    "cart/2",
    "cart/3",
  ]);
  assert.deepEqual(names(await kv.range({ prefix: "cart/", end: "cart/2" })), ["cart/1"]);
  assert.deepEqual(names(await kv.range({ start: "x", end: "b" })), []);

  const first = await kv.range({ prefix: "cart/", limit: 2 });
  assert.deepEqual([names(first), first.count], [["cart/1", "cart/2"], 3]);
  const rest = await kv.range({ prefix: "cart/", start: first.next });
  assert.deepEqual([names(rest), rest.next], [["cart/3"], undefined]);

  const only = await kv.range({ prefix: "cart/", only: "keys" });
  assert.deepEqual([names(only).length, only.entries[0].value], [3, undefined]);
  const count = await kv.range({ only: "count" });
  assert.deepEqual([count.entries, count.count], [[], keys.length]);

  assert.equal((await kv.deleteRange({ prefix: "cart/" })).deleted, 3);
  assert.equal((await kv.deleteRange({ start: "b", end: "d" })).deleted, 1);
  assert.equal((await kv.deleteRange({ prefix: "" })).deleted, 2);
  assert.equal((await kv.range({ only: "count" })).count, 0);
});

test("256 writes at once all take effect, once each", async (t) => {
  const { kv } = await open(t);
  const sums = await Promise.all(Array.from({ length: 256 }, () => kv.increment("sum")));
  assert.deepEqual(
    sums.map(({ value }) => value).sort((a, b) => a - b),
    Array.from({ length: 256 }, (_, at) => at + 1),
  );
  assert.equal(new Set(sums.map(({ revision }) => revision)).size, 256);
  await Promise.all(Array.from({ length: 256 }, (_, at) => kv.put(`key/${at}`, at)));
  assert.equal((await kv.range({ prefix: "key/", only: "count" })).count, 256);
});

test("the loss of the leader loses nothing that was acknowledged", async (t) => {
  const cluster = await open(t, { storage: "directory", directory: scratch(t) });
  await cluster.kv.put("before", 1);
  const old = await cluster.leader();
  const lead = event(cluster, "leaderchange", ({ leader }) => leader !== null && leader !== old);
  await cluster.node(old).kill();
  assert.equal(cluster.node(old).state, "killed");
  await failure(cluster.node(old).status(), "NODE_KILLED");
  assert.equal((await cluster.kv.get("before")).value, 1);
  await cluster.kv.put("during", 2);
  assert.ok((await lead).term > 1);
  await cluster.node(old).start();
  assert.equal(cluster.node(old).state, "running");
  await picture(cluster, converged);
  assert.equal((await cluster.kv.get("during")).value, 2);
});

test("the others do not wait for a leader whose worker is gone", async (t) => {
  const election = 4_000;
  const cluster = await open(t, { timeouts: { election } });
  const old = await cluster.leader();
  // By timers alone it takes longer: the leader was heard just now.
  const next = ({ leader }) => leader !== null && leader !== old;
  const lead = event(cluster, "leaderchange", next, election * 0.9);
  await cluster.node(old).kill();
  await lead;
  assert.ok((await cluster.kv.put("k", 1)).revision > 0);
});

test("writes under way when the leader is killed take effect once", async (t) => {
  const cluster = await open(t);
  await cluster.kv.increment("n");
  const writes = Array.from({ length: 64 }, () => cluster.kv.increment("n"));
  await cluster.node(await cluster.leader()).kill();
  const values = (await Promise.all(writes)).map(({ value }) => value);
  assert.deepEqual(
    values.sort((a, b) => a - b),
    Array.from({ length: 64 }, (_, at) => at + 2),
  );
});

test("a cluster reopens with what it had", async (t) => {
  const directory = scratch(t);
  const first = await open(t, { storage: "directory", directory });
  await Promise.all(Array.from({ length: 100 }, (_, at) => first.kv.put(`key/${at}`, { at })));
  const { term } = await first.status();
  await first.close();

  const second = await open(t, { storage: "directory", directory });
  assert.deepEqual((await second.kv.get("key/73")).value, { at: 73 });
  assert.equal((await second.kv.range({ prefix: "key/", only: "count" })).count, 100);
  assert.ok((await second.status()).term > term, "terms never repeat");
});

test("all nodes killed and started come back with everything", async (t) => {
  const cluster = await open(t, { storage: "directory", directory: scratch(t) });
  for (let round = 1; round <= 3; round++) {
    await cluster.kv.put(`round/${round}`, round);
    await Promise.all(cluster.nodes.map((node) => node.kill()));
    assert.equal((await cluster.status()).leader, null);
    await Promise.all(cluster.nodes.map((node) => node.start()));
    assert.equal((await cluster.kv.range({ prefix: "round/" })).entries.length, round);
  }
  await picture(cluster, converged);
});

test("memory survives a kill, not a close", async (t) => {
  const cluster = await open(t);
  await cluster.kv.put("k", 1);
  for (const node of cluster.nodes) await node.kill();
  for (const node of cluster.nodes) await node.start();
  assert.equal((await cluster.kv.get("k")).value, 1);
  await cluster.close();
  const next = await open(t);
  assert.equal(await next.kv.get("k"), null);
});

test("start and kill may be asked again, and for each other", async (t) => {
  const cluster = await open(t);
  const node = cluster.node(2);
  await node.start();
  await node.kill();
  await node.kill();
  const starting = node.start();
  assert.equal(node.state, "starting");
  const killed = failure(starting, "NODE_KILLED");
  await node.kill();
  await killed;
  await Promise.all([node.start(), node.start()]);
  assert.equal(node.state, "running");
  await picture(cluster, converged);
});

test("events tell what happens", async (t) => {
  const cluster = await open(t);
  const leader = await cluster.leader();
  const follower = others(cluster, leader)[0];

  const commit = event(cluster, "commit");
  const status = event(cluster, "status", ({ nodes }) =>
    nodes.every((node) => node.status?.keys === 1),
  );
  await cluster.kv.put("k", 1);
  assert.ok((await commit).index > 0);
  assert.ok(Object.isFrozen(await status));

  const down = event(cluster, "nodedown", ({ node }) => node === follower);
  await cluster.node(follower).kill();
  await down;
  const up = event(cluster, "nodeup", ({ node }) => node === follower);
  await cluster.node(follower).start();
  await up;

  const none = event(cluster, "leaderchange", (detail) => detail.leader === null);
  const next = event(cluster, "leaderchange", (detail) => detail.leader !== null);
  const role = event(cluster, "rolechange", (detail) => detail.role === "leader");
  await cluster.node(leader).kill();
  assert.ok((await none).term >= 1);
  assert.equal((await role).node, (await next).leader);
  assert.notEqual((await next).leader, leader);

  const heard = [];
  const listener = () => heard.push(1);
  cluster.addEventListener("network", listener);
  cluster.network.isolate(1);
  cluster.removeEventListener("network", listener);
  cluster.network.heal();
  assert.equal(heard.length, 1);
});
