// What the store refuses: what passes for an argument at first sight and is none, and what was promised when it fails.

import assert from "node:assert/strict";
import test from "node:test";
import { failure, open } from "./help.mjs";

/** Each must be refused as an argument, with a sentence that says this. */
async function refused(calls) {
  for (const [call, sentence] of calls) {
    const error = await failure(async () => call(), "INVALID_ARGUMENT");
    assert.match(error.message, sentence, `${call}`);
  }
}

test("an object of a class has none of the fields that it seems to have", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const { signal } = new AbortController();
  // Each of these would otherwise count as { }: without an end, and for all keys.
  for (const wrong of [signal, new Date(), new Map([["timeout", 5]]), Promise.resolve(), [5]]) {
    const sentence = /must be an object \{ .+ \}, not an (object of the class|array)/;
    await refused(
      [
        () => kv.put("k", 1, wrong),
        () => kv.get("k", wrong),
        () => kv.txn({}, wrong),
        () => kv.leases(wrong),
        () => kv.range(wrong),
        () => kv.watch(wrong),
        () => kv.watch("k", wrong),
        () => kv.txn(wrong),
        () => kv.retain(wrong),
        () => kv.lock("l", wrong),
        () => kv.queue("q", wrong),
        () => kv.leaderTask("t", () => {}, wrong),
      ].map((call) => [call, sentence]),
    );
  }
  await refused([
    [() => kv.get("k", signal), /\{ signal, timeout, .*not an object of the class AbortSignal/],
    ...[null, 0, false, ""].map((wrong) => [() => kv.put("k", 1, { signal: wrong }), /"signal"/]),
    [() => kv.range({ only: null }), /"only"/],
    [() => kv.range({ orderBy: null }), /"orderBy"/],
  ]);
  assert.equal((await kv.range()).revision, 0);
  const bare = Object.assign(Object.create(null), { timeout: 5_000 });
  assert.equal(await kv.get("k", bare), null);
});

test("a transaction leaves nothing that it was given out of account", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  await refused([
    [() => kv.txn({ if: [{ key: "a", prefix: "b", version: 0 }] }), /not on both/],
    [() => kv.txn({ if: [{ key: "a", start: "b", version: 0 }] }), /not on both/],
    // biome-ignore lint/suspicious/noSparseArray: what a comma too many makes
    [() => kv.txn({ do: [, { put: "a", value: 1 }] }), /an operation is an object/],
    // biome-ignore lint/suspicious/noSparseArray: as above
    [() => kv.txn({ if: [,] }), /a condition must be an object/],
  ]);
  const value = "x".repeat(1_000_000);
  const large = kv.txn({ do: ["a", "b", "c"].map((put) => ({ put, value })) });
  assert.match((await failure(large, "VALUE_TOO_LARGE")).message, /divide/);
  assert.equal((await kv.range()).revision, 0);
});

test("bytes of Node's Buffer are a key like others, and stay the caller's", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  await kv.put("cart/1", 1);
  const prefix = Buffer.from("cart/");
  assert.equal((await kv.range({ prefix })).count, 1);
  assert.equal(prefix.toString(), "cart/");
  const watch = kv.watch(prefix);
  prefix.fill("z");
  await watch.ready;
  await kv.put("zzzzz", 1);
  await kv.put("cart/", 2);
  assert.equal((await watch.next()).value.key, "cart/");
  watch.close();
});

test("a codec can be an object of a class, and use its bytes again", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  class Small {
    scratch = new Uint8Array(8);
    encode(number) {
      this.scratch[0] = number;
      return this.scratch.subarray(0, 1);
    }
    decode([number]) {
      return this.scale * number;
    }
    get scale() {
      return 1;
    }
  }
  const small = kv.as(new Small());
  await small.put("k", 5);
  assert.equal((await small.compareAndSwap("k", 5, 6)).swapped, true);
  const between = [
    { key: "k", is: ">", value: 5 },
    { key: "k", is: "<", value: 7 },
  ];
  assert.equal((await small.txn({ if: between })).succeeded, true);
  const fails = kv.as({
    encode() {
      throw Symbol("no");
    },
    decode: () => 0,
  });
  const error = await failure(() => fails.put("k", 1), "ENCODING");
  assert.match(error.message, /cannot encode the value: a symbol/);
  await refused([
    [() => kv.as({ encode() {}, decod() {} }), /encode and decode/],
    [() => kv.as("utf8").put("k", new Uint8Array(1)), /must be a string, not/],
    [() => kv.put("k", Number.NaN), /it is NaN/],
    [() => kv.put("k", Number.NEGATIVE_INFINITY), /it is -Infinity/],
    [() => kv.compareAndSwap("k", Number.NaN, 1), /it is NaN/],
  ]);
});

test("what cannot be decoded names its key, and a write whose answer it is has been done", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const text = kv.as("utf8");
  const outcome = async (call, expected) => {
    await text.put("note", "{no json");
    const error = await failure(call, "ENCODING");
    assert.match(error.message, /"note"/);
    assert.equal(error.outcome, expected, `${call}`);
    return (await text.get("note"))?.value;
  };
  const previous = { previous: true };
  assert.equal(await outcome(() => kv.put("note", 1, previous), "applied"), "1");
  assert.equal(await outcome(() => kv.delete("note", previous), "applied"), undefined);
  assert.equal(
    await outcome(() => kv.deleteRange({ prefix: "n" }, previous), "applied"),
    undefined,
  );
  const both = { do: [{ get: "note" }, { put: "done", value: true }] };
  assert.equal(await outcome(() => kv.txn(both), "applied"), "{no json");
  assert.equal((await kv.get("done")).value, true);
  assert.equal(await outcome(() => kv.compareAndSwap("note", 1, 2), "not-applied"), "{no json");
  assert.equal(await outcome(() => kv.get("note"), undefined), "{no json");
  assert.equal(await outcome(() => kv.range({ prefix: "n" }), undefined), "{no json");
});

test("a lease is one of this cluster, or a number", async (t) => {
  const [here, there] = [await open(t, { nodes: 1 }), await open(t, { nodes: 1, name: "other" })];
  const { kv } = here;
  const mine = await kv.lease({ ttl: 60_000, id: 1 });
  const theirs = await there.kv.lease({ ttl: 60_000, id: 1 });
  await kv.put("k", 1);
  const uses = (lease) => [
    () => kv.put("k", 2, { lease }),
    () => kv.attach("k", lease),
    () => kv.txn({ do: [{ put: "k", value: 2, lease }] }),
    () => kv.txn({ do: [{ attach: "k", lease }] }),
    () => kv.txn({ do: [{ txn: { if: [{ key: "k", lease }] } }] }),
    () => kv.leaseStatus(lease),
    () => kv.renewLease(lease),
    () => kv.revokeLease(lease),
  ];
  await refused(uses(theirs).map((call) => [call, /of another cluster/]));
  // A node has an id, too, and a lease may have the same one.
  for (const wrong of [here.node(1), { id: 1 }, "1", null, -1, 1.5]) {
    await refused(uses(wrong).map((call) => [call, /a lease or its id/]));
  }
  assert.deepEqual(await kv.leases(), [1]);
  for (const call of uses(mine)) await call();
  assert.deepEqual(await kv.leases(), []);
});

test("what is held stays held when it is given up in a way that makes no sense", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const lease = await kv.lease({ ttl: 60_000 });
  const lock = await kv.lock("l");
  const tenure = await kv.election("e").campaign(1);
  const task = kv.leaderTask(
    "t",
    (signal) => new Promise((end) => signal.addEventListener("abort", end)),
  );
  while (task.token === undefined) await kv.get("any");
  for (const wrong of [null, { timeout: -1 }, { signal: 1 }, { timout: 1 }, lease.lost]) {
    await failure(lease.revoke(wrong), "INVALID_ARGUMENT");
    await failure(lock.release(wrong), "INVALID_ARGUMENT");
    await failure(tenure.resign(wrong), "INVALID_ARGUMENT");
    await failure(task.stop(wrong), "INVALID_ARGUMENT");
  }
  assert.deepEqual(
    [lease, lock, tenure].map(({ lost }) => lost.aborted),
    [false, false, false],
  );
  assert.notEqual(task.token, undefined);
  assert.equal((await kv.leases()).length, 4);
  await Promise.all([lease.revoke(), lock.release(), tenure.resign(), task.stop()]);
  assert.deepEqual(await kv.leases(), []);
});
