// Leases: keys that go with their owner, never too early.

import assert from "node:assert/strict";
import test from "node:test";

import { failure, open } from "./help.mjs";

test("keys live as long as their lease", async (t) => {
  const { kv } = await open(t);
  const lease = await kv.lease({ ttl: 500 });
  await kv.put("a", 1, { lease });
  await kv.put("b", 2, { lease: lease.id });
  await kv.put("c", 3);
  await kv.attach("c", lease);
  assert.equal((await kv.get("c")).lease, lease.id);
  const status = await kv.leaseStatus(lease, { keys: true });
  assert.deepEqual(
    [status.id, status.ttl, status.keys.map((key) => String.fromCharCode(...key))],
    [lease.id, 500, ["a", "b", "c"]],
  );
  assert.ok(status.remaining > 0 && status.remaining <= 500);
  assert.equal((await kv.leaseStatus(lease.id)).keys, undefined);
  assert.deepEqual(await kv.leases(), [lease.id]);

  // It is kept alive for more than its time.
  const watch = kv.watch({ prefix: "" }, { only: "delete" });
  await watch.ready;
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.equal(lease.lost.aborted, false);
  assert.equal((await kv.range()).count, 3);

  await kv.put("b", 2, { lease: "keep" });
  await kv.put("c", 3);
  await lease.revoke();
  await lease.revoke();
  assert.equal(lease.lost.aborted, true);
  assert.equal(lease.lost.reason.code, "LEASE_LOST");
  assert.deepEqual(
    (await kv.range()).entries.map(({ key, lease: id }) => [key, id]),
    [["c", 0]],
    "a put without a lease takes the key off it",
  );
  const [first, second] = [await watch.next(), await watch.next()];
  assert.deepEqual([first.value.key, second.value.key], ["a", "b"]);
  assert.equal(first.value.modRevision, second.value.modRevision);
  await failure(lease.renew(), "LEASE_NOT_FOUND");
  await failure(kv.leaseStatus(lease), "LEASE_NOT_FOUND");
  await failure(kv.put("a", 1, { lease }), "LEASE_NOT_FOUND");
});

test("a lease that nobody keeps alive ends by itself, and not before its time", async (t) => {
  const { kv } = await open(t);
  await kv.put("warm", 1);
  const watch = kv.watch("a", { only: "delete" });
  await watch.ready;
  const began = performance.now();
  const lease = await kv.lease({ ttl: 400, keepAlive: false });
  const lost = new Promise((resolve) => lease.lost.addEventListener("abort", resolve));
  await kv.put("a", 1, { lease });
  assert.equal((await watch.next()).value.key, "a");
  assert.ok(performance.now() - began >= 400);
  await lost;
  assert.equal(await kv.get("a"), null);
});

test("a sign of life by hand puts the end off", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const lease = await kv.lease({ ttl: 1_000, keepAlive: false });
  for (let beat = 0; beat < 3; beat++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const left = await lease.renew();
    assert.ok(left > 0 && left <= 1_000);
  }
  assert.equal(lease.lost.aborted, false);
});

test("a lease is renewed and ended by whoever knows its id", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const lease = await kv.lease({ ttl: 60_000, keepAlive: false });
  await kv.put("a", 1, { lease });
  await kv.put("b", 1, { lease });
  assert.equal(await kv.renewLease(lease.id), 60_000);
  assert.equal(await kv.renewLease(lease), 60_000);
  assert.deepEqual(await kv.revokeLease(lease.id), { deleted: 2, revision: 3 });
  assert.equal((await kv.range()).count, 0);
  await failure(kv.revokeLease(lease), "LEASE_NOT_FOUND");
  await failure(kv.renewLease(lease.id), "LEASE_NOT_FOUND");
  await failure(lease.renew(), "LEASE_NOT_FOUND");
  assert.equal(lease.lost.aborted, true, "its owner hears of it when it asks");
  for (const odd of [undefined, null, "1", -1, 0.5, {}]) {
    await failure(kv.renewLease(odd), "INVALID_ARGUMENT");
    await failure(kv.revokeLease(odd), "INVALID_ARGUMENT");
  }
});

test("a lease whose store cannot be reached counts as lost in time", async (t) => {
  const cluster = await open(t);
  const lease = await cluster.kv.lease({ ttl: 600 });
  const lost = new Promise((resolve) => lease.lost.addEventListener("abort", resolve));
  await Promise.all(cluster.nodes.map((node) => node.kill()));
  await lost;
  assert.equal(lease.lost.reason.code, "LEASE_LOST");
  // While no leader is there, its time stands still in the store.
  await Promise.all(cluster.nodes.map((node) => node.start()));
  await cluster.leader();
});

test("a lease goes with its scope, and with its cluster", async (t) => {
  const cluster = await open(t, { nodes: 1 });
  const { kv } = cluster;
  const lease = await kv.lease({ ttl: 60_000 });
  await kv.put("a", 1, { lease });
  await lease[Symbol.asyncDispose]();
  assert.equal(await kv.get("a"), null);
  const left = await kv.lease({ ttl: 60_000 });
  assert.equal(left.lost.aborted, false);
  await cluster.close();
  assert.equal(left.lost.aborted, true, "at once, and no timer is left");
  await left[Symbol.asyncDispose]();
});

test("ids of one's own, and what makes no sense", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const lease = await kv.lease({ ttl: 60_000, id: 7 });
  assert.equal(lease.id, 7);
  await failure(kv.lease({ ttl: 60_000, id: 7 }), "LEASE_EXISTS");
  for (const odd of [
    undefined,
    {},
    { ttl: 0 },
    { ttl: 1.5 },
    { ttl: 1e13 },
    { ttl: 5, id: 0 },
    { ttl: 5, id: 2 ** 53 },
    { ttl: 5, keepAlive: 1 },
    { ttl: 5, name: "a" },
  ])
    await failure(kv.lease(odd), "INVALID_ARGUMENT");
  for (const odd of [undefined, "7", -1, {}, { id: "7" }])
    await failure(kv.attach("a", odd), "INVALID_ARGUMENT");
  await failure(kv.leaseStatus(7, { key: true }), "INVALID_ARGUMENT");
  assert.deepEqual(await kv.leases(), [7]);
});
