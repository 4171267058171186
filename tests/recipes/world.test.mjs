// The world itself: the same seed tells the same story, and the model of the store does what the store does.

import assert from "node:assert/strict";
import test from "node:test";

import { failure, rough, world } from "./help.mjs";
import { errors, recipes } from "./model/build.mjs";
import { World } from "./model/world.mjs";

async function story(seed) {
  const world = new World(seed, errors, rough);
  for (let client = 0; client < 3; client++) {
    world.client(async (kv) => {
      for (let round = 0; round < 3; round++) {
        const held = await recipes.lock(kv, "a", { ttl: 3_000 });
        await world.sleep(world.random.below(1_000));
        await held.release();
      }
    });
  }
  const end = await world.run().catch(({ code }) => code);
  return JSON.stringify([end, world.now, world.counts, world.store.revision, world.random.next()]);
}

test("a seed always tells the same story, and another one another", async () => {
  const stories = new Set();
  for (let seed = 1; seed <= 10; seed++) {
    const told = await story(seed);
    assert.equal(await story(seed), told);
    stories.add(told);
  }
  assert.equal(stories.size, 10);
});

test("the model has revisions, ranges, transactions and leases", async () => {
  await world((world) => {
    world.client(async (kv) => {
      assert.deepEqual(await kv.put("b", 1), { revision: 1 });
      await kv.put("a", 3);
      const { revision } = await kv.put("b", 2);
      const { version, createRevision, modRevision } = await kv.get("b");
      assert.deepEqual([version, createRevision, modRevision], [2, 1, revision]);
      const byAge = await kv.range({ prefix: "", orderBy: "createRevision", limit: 1 });
      assert.deepEqual([byAge.entries[0].key, byAge.count, byAge.revision], ["b", 2, 3]);
      const first = await kv.range({ limit: 1 });
      assert.deepEqual([first.entries[0].key, Buffer.from(first.next).toString()], ["a", "b"]);

      const refusal = await kv.txn({ if: [{ key: "a", value: 4 }], else: [{ get: "a" }] });
      assert.deepEqual([refusal.succeeded, refusal.results[0].entry.value], [false, 3]);
      const empty = await kv.txn({
        if: [{ prefix: "c", value: 1 }],
        do: [{ put: "c", value: 1 }],
      });
      assert.equal(
        empty.succeeded,
        false,
        "a condition on values does not hold where there are none",
      );
      await failure(
        kv.txn({
          do: [
            { put: "d", value: 1 },
            { put: "c", value: 1, lease: 77 },
          ],
        }),
        "LEASE_NOT_FOUND",
      );
      assert.equal(await kv.get("d"), null, "all or nothing");

      const lease = await kv.lease({ ttl: 1_000 });
      await kv.txn({ do: [{ put: "l", value: 1, lease }] });
      await world.sleep(10_000);
      assert.notEqual(await kv.get("l"), null, "it is kept alive");
      await lease.revoke();
      assert.equal(await kv.get("l"), null);
      assert.equal(lease.lost.aborted, true);
    });
  });
});

test("a watch of the model tells all from a revision on, or that it is no longer kept", async () => {
  await world((world) => {
    world.client(async (kv) => {
      for (const value of [1, 2]) await kv.put("a", value);
      await kv.delete("a");
      await kv.put("b", 1);
      const told = [];
      for await (const { type, modRevision } of kv.watch("a", { from: 2 })) {
        told.push([type, modRevision]);
        if (type === "delete") break;
      }
      assert.deepEqual(told, [
        ["put", 2],
        ["delete", 3],
      ]);
      world.store.compact();
      await failure(kv.watch("a", { from: 2 }).next(), "COMPACTED");
      const later = kv.watch("b", { from: 5 });
      setTimeout(() => later.close(), 1_000);
      assert.equal((await later.next()).done, true);
    });
  });
});
