// Semaphores: never more holders than permits, nobody waits for a permit that is free.

import assert from "node:assert/strict";
import test from "node:test";

import { calm, failure, forgive, Holders, rough, world, worlds } from "./help.mjs";
import { recipes } from "./model/build.mjs";

const { semaphore } = recipes;

function contest(world, permits, { rounds = 3, clients = 5 } = {}) {
  const holders = new Holders(world, permits);
  const counts = { got: 0, most: 0, now: 0 };
  for (let client = 0; client < clients; client++) {
    world.client(async (kv, self) => {
      const all = semaphore(kv, "a", permits);
      for (let round = 0; round < rounds; round++) {
        try {
          const permit = await all.acquire({ ttl: 3_000 });
          counts.got++;
          counts.most = Math.max(counts.most, ++counts.now);
          await holders.during(permit, self, () => world.sleep(world.random.below(2_000)));
          counts.now--;
          await permit.release();
        } catch (error) {
          forgive(error);
        }
      }
    });
  }
  return counts;
}

for (const permits of [1, 2, 3]) {
  test(`never more than ${permits} hold a permit of ${permits}, and all get one`, async () => {
    let most = 0;
    await worlds(calm, (world) => {
      const counts = contest(world, permits);
      return () => {
        assert.equal(counts.got, 15);
        most = Math.max(most, counts.most);
      };
    });
    assert.equal(most, permits, "they were held at a time, too");
  });
}

test("never more hold a permit than there are, through deaths, lost answers and a forgotten past", async () => {
  await worlds(rough, (world) => {
    contest(world, 2);
  });
});

test("an attempt gets a permit only if there is one", async () => {
  await worlds({ unknown: 3 }, (world) => {
    const holders = new Holders(world, 2);
    for (let client = 0; client < 5; client++) {
      world.client(async (kv, self) => {
        for (let round = 0; round < 4; round++) {
          try {
            const permit = await semaphore(kv, "a", 2).tryAcquire({ ttl: 3_000 });
            if (permit === null) continue;
            await holders.during(permit, self, () => world.sleep(world.random.below(500)));
            await permit.release();
          } catch (error) {
            forgive(error);
          }
        }
      });
    }
  });
});

test("all permits but none more are given at once", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const all = semaphore(kv, "a", 2);
      assert.deepEqual([all.name, all.permits], ["a", 2]);
      const [first, second] = [await all.tryAcquire(), await all.acquire()];
      assert.equal(await all.tryAcquire(), null);
      await failure(all.acquire({ timeout: 500 }), "TIMEOUT");
      await first.release();
      await world.sleep(5_000);
      const third = await all.tryAcquire();
      assert.ok(third.token > second.token);
    });
  });
});

test("who waits far behind takes its turn when enough are gone", async () => {
  await worlds(calm, (world) => {
    world.client(async (kv) => {
      const all = semaphore(kv, "a", 2);
      const held = await Promise.all([all.acquire(), all.acquire()]);
      const impatient = failure(all.acquire({ timeout: 3_000 }), "TIMEOUT");
      await world.sleep(1_000);
      const last = all.acquire();
      await impatient;
      await held[0].release();
      await last;
      assert.equal(held[1].lost.aborted, false);
    });
  });
});

test("who leaves from behind is nobody's turn", async () => {
  await worlds(calm, (world) => {
    world.client(async (kv) => {
      const all = semaphore(kv, "a", 1);
      const held = await all.acquire();
      const waiting = all.acquire();
      await world.sleep(3_000);
      await failure(all.acquire({ timeout: 3_000 }), "TIMEOUT");
      await world.sleep(5_000);
      await held.release();
      await waiting;
    });
  });
});

test("one number of permits at a time", async () => {
  await worlds(calm, (world) => {
    world.client(async (kv) => {
      const held = await semaphore(kv, "a", 2).acquire();
      const error = await failure(semaphore(kv, "a", 3).acquire(), "INVALID_ARGUMENT");
      assert.match(error.message, /in use with the number 2, not 3/);
      await failure(semaphore(kv, "a", 3).tryAcquire(), "INVALID_ARGUMENT");
      await held.release();
      await world.sleep(60_000);
      await semaphore(kv, "a", 3).acquire();
    });
  });
});
