// Barriers: nobody passes while one is held; nobody begins alone, and nobody ends alone.

import assert from "node:assert/strict";
import test from "node:test";

import { calm, failure, forgive, rough, world, worlds } from "./help.mjs";
import { recipes } from "./model/build.mjs";

const { barrier, doubleBarrier } = recipes;

const heldBy = (world, prefix) =>
  [...world.store.keys.keys()].filter((key) => key.startsWith(prefix));

for (const [name, faults] of [
  ["", calm],
  [", through deaths, lost answers and a forgotten past", rough],
  [", though holders stall", { stall: 0.5 }],
]) {
  test(`who waits at a barrier passes when nobody holds it${name}`, async () => {
    await worlds(faults, (world) => {
      let [revision, free] = [-1, []];
      // The revisions from and up to which nobody held it.
      world.invariant = () => {
        if (world.store.revision === revision) return;
        revision = world.store.revision;
        if (heldBy(world, "barrier/").length === 0) free.push(world.now);
      };
      for (let client = 0; client < 3; client++) {
        world.client(async (kv) => {
          for (let round = 0; round < 3; round++) {
            try {
              const hold = await barrier(kv, "a").hold({ ttl: 3_000 });
              assert.equal(hold.lost.aborted, false, "what is given is not lost already");
              await world.sleep(world.random.below(2_000));
              await hold.release();
            } catch (error) {
              forgive(error);
            }
            await world.sleep(world.random.below(500));
          }
        });
      }
      for (let client = 0; client < 2; client++) {
        world.client(async (kv) => {
          await world.sleep(world.random.below(2_000));
          const wasFree = heldBy(world, "barrier/").length === 0;
          const began = world.now;
          try {
            await barrier(kv, "a").wait();
          } catch (error) {
            return forgive(error);
          }
          assert.ok(wasFree || free.some((at) => at >= began), "nobody held it in the meantime");
        });
      }
      free = [];
    });
  });
}

test("a barrier stays as long as anybody holds it, and anybody can end it", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const it = barrier(kv, "a");
      await it.wait();
      const [first, second] = [await it.hold(), await it.hold()];
      await first.release();
      await failure(it.wait({ timeout: 1_000 }), "TIMEOUT");
      const waiting = it.wait();
      await it.release();
      await waiting;
      await world.sleep(1_000);
      assert.equal(second.lost.reason.code, "LOCK_LOST");
    });
  });
});

test("as many as it takes begin together and end together, again and again", async () => {
  await worlds({ compact: 2 }, (world) => {
    const [inside, began] = [new Map(), []];
    for (let client = 0; client < 3; client++) {
      world.client(async (kv) => {
        for (let round = 0; round < 3; round++) {
          await world.sleep(world.random.below(1_000));
          inside.set(client, round);
          const part = await doubleBarrier(kv, "a", 3).enter();
          assert.deepEqual([...inside.values()], [round, round, round], "nobody is missing");
          began.push(round);
          await world.sleep(world.random.below(1_000));
          const leaving = part.leave();
          await leaving;
          assert.equal(
            heldBy(world, "double-barrier/a/in/").filter((key) => key === part.condition.key)
              .length,
            0,
          );
          assert.equal(
            began.filter((it) => it === round).length,
            3,
            "nobody leaves before all were in",
          );
        }
      });
    }
    return () => assert.equal(began.length, 9);
  });
});

test("nobody ends while another one who began with it is at work", async () => {
  await world((world) => {
    const order = [];
    for (const [name, ms] of [
      ["slow", 20_000],
      ["fast", 1_000],
    ]) {
      world.client(async (kv) => {
        const part = await doubleBarrier(kv, "a", 2).enter();
        await world.sleep(ms);
        order.push(`${name} done`);
        await part.leave();
        order.push("left");
      });
    }
    return () => assert.deepEqual(order, ["fast done", "slow done", "left", "left"]);
  });
});

test("who comes while a round is at work is of the next one", async () => {
  await worlds(
    calm,
    (world) => {
      const begun = [];
      for (let client = 0; client < 5; client++) {
        world.client(async (kv) => {
          await world.sleep(client < 2 ? 0 : 10_000);
          const part = await doubleBarrier(kv, "a", 2).enter();
          begun.push(client);
          if (client >= 2) {
            await part.leave();
            return;
          }
          await world.sleep(60_000);
          assert.deepEqual([...begun].slice(0, 2).sort(), [0, 1]);
          assert.equal(
            begun.length,
            4,
            "the second round began beside the first, the fifth waits alone",
          );
          await part.leave();
          if (client === 0) await (await doubleBarrier(kv, "a", 2).enter()).leave();
        });
      }
    },
    30,
  );
});

test("who dies before all have come does not count, and who dies at work is done", async () => {
  await world((world) => {
    const first = world.client(async (kv) => {
      doubleBarrier(kv, "a", 2).enter({ ttl: 2_000 });
      await world.sleep(500);
      first.strike();
    });
    const second = world.client(async (kv) => {
      await world.sleep(20_000);
      await doubleBarrier(kv, "a", 2).enter({ ttl: 2_000 });
      assert.ok(world.now >= 40_000, "the dead one did not count");
      second.strike();
    });
    world.client(async (kv) => {
      await world.sleep(40_000);
      const part = await doubleBarrier(kv, "a", 2).enter();
      await part.leave();
    });
  });
});

test("one number of participants at a time", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const waiting = doubleBarrier(kv, "a", 2).enter();
      await world.sleep(5_000);
      const error = await failure(doubleBarrier(kv, "a", 3).enter(), "INVALID_ARGUMENT");
      assert.match(error.message, /in use with the number 2, not 3/);
      await doubleBarrier(kv, "a", 2).enter();
      await waiting;
    });
  });
});

test("rounds are of exactly so many, however many come", async () => {
  await worlds({ compact: 2 }, (world) => {
    const tokens = [];
    for (let client = 0; client < 6; client++) {
      world.client(async (kv) => {
        const part = await doubleBarrier(kv, "a", 2).enter();
        tokens.push(part.token);
        await part.leave();
      });
    }
    return () => {
      const full = world.store.keys.get("double-barrier/a/full");
      assert.equal(Number(full.value), Math.max(...tokens));
      assert.equal(full.version, 3, "three rounds");
    };
  });
});

test("who loses its place in front of a double barrier is told so", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const waiting = failure(doubleBarrier(kv, "a", 2).enter(), "LOCK_LOST");
      await world.sleep(5_000);
      await kv.deleteRange({ prefix: "double-barrier/a/in/" });
      await waiting;
    });
  });
});

test("a place in front of a double barrier is given up with the wait", async () => {
  await worlds(calm, (world) => {
    world.client(async (kv) => {
      await failure(doubleBarrier(kv, "a", 2).enter({ timeout: 500 }), "TIMEOUT");
      await world.sleep(5_000);
      assert.equal(world.store.keys.size, 0);
    });
  });
});
