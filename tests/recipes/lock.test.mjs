// Locks: one holder at a time, in order of arrival, whatever dies, stalls or gets no answer.

import assert from "node:assert/strict";
import test from "node:test";

import { calm, failure, forgive, Holders, rough, world, worlds } from "./help.mjs";
import { errors, recipes } from "./model/build.mjs";

const { lock, tryLock } = recipes;

/** Several clients take a lock again and again, and each writes its token under its protection. */
function contest(world, { rounds = 3, clients = 4 } = {}) {
  const holders = new Holders(world, 1);
  const tokens = [];
  for (let client = 0; client < clients; client++) {
    world.client(async (kv, self) => {
      for (let round = 0; round < rounds; round++) {
        try {
          const held = await lock(kv, "a", { ttl: 3_000 });
          assert.equal(held.lost.aborted, false, "what is given is not lost already");
          const isTrue = () => held.lost.aborted || world.store.keys.has(held.condition.key);
          assert.ok(isTrue(), "what is given is there");
          tokens.push(held.token);
          await holders.during(held, self, async () => {
            for (let write = 0; write < 2; write++) {
              await world.sleep(world.random.below(1_500));
              const { succeeded } = await kv.txn({
                if: [held.condition],
                do: [{ put: "fruit", value: held.token }],
              });
              assert.ok(isTrue(), "who is asked does not deny what has happened");
              assert.ok(
                succeeded || held.lost.aborted || world.faults.stall > 0,
                "a holder writes",
              );
            }
          });
          await held.release();
        } catch (error) {
          forgive(error);
        }
      }
    });
  }
  return tokens;
}

/** What was written to a key, in order. */
function history(world, key) {
  return world.store.past
    .flatMap(({ events }) => events)
    .filter((event) => event.key === key && event.type === "put")
    .map(({ value }) => JSON.parse(value));
}

const inOrder = (numbers) => numbers.every((it, at) => at === 0 || numbers[at - 1] <= it);

test("one holds the lock at a time, and tokens grow", async () => {
  await worlds(calm, (world) => {
    const tokens = contest(world);
    return () => {
      assert.equal(tokens.length, 12);
      assert.ok(inOrder(tokens), `${tokens}`);
    };
  });
});

test("one holds the lock at a time through deaths, lost answers and a forgotten past", async () => {
  await worlds(rough, (world) => {
    const tokens = contest(world);
    return () => assert.ok(inOrder(tokens), `${tokens}`);
  });
});

test("who stalls with a lock may believe in it too long, but writes nothing once another one has it", async () => {
  await worlds({ unknown: 5, stall: 2 }, (world) => {
    contest(world);
    world.invariant = () => {};
    return () => {
      const written = history(world, "fruit");
      assert.ok(inOrder(written), `${written}`);
    };
  });
});

test("the lock goes by the order of arrival", async () => {
  await worlds(calm, (world) => {
    const got = [];
    for (let client = 0; client < 5; client++) {
      world.client(async (kv) => {
        const held = await lock(kv, "a");
        const { entries } = await kv.range({ prefix: "lock/a/", only: "keys" });
        const oldest = Math.min(...entries.map(({ createRevision }) => createRevision));
        assert.equal(held.token, oldest, "nobody who came earlier still waits");
        got.push(held.token);
        await held.release();
      });
    }
    return () => assert.ok(inOrder(got), `${got}`);
  });
});

test("a release wakes the next one alone", async () => {
  await world((world) => {
    const waiters = 20;
    for (let client = 0; client < waiters; client++) {
      world.client(async (kv) => {
        const held = await lock(kv, "a", { ttl: 80_000_000 });
        await held.release();
      });
    }
    // Each but the first looks once, when the one before it is gone.
    return () => assert.equal(world.counts.range ?? 0, waiters - 1);
  });
});

test("a lock that is released is lost for its holder, and one that its holder lost says why", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const held = await lock(kv, "a/b");
      assert.equal(held.name, "a/b");
      assert.match(held.condition.key, /^lock\/a%2Fb\/[0-9a-f]{14}$/);
      assert.equal((await kv.get(held.condition.key)).createRevision, held.token);
      assert.equal(held.lost.aborted, false);
      await held.release();
      assert.equal(held.lost.reason.code, "ABORTED");
      await held.release();

      const other = await lock(kv, "a/b");
      assert.ok(other.token > held.token);
      const lost = new Promise((resolve) => other.lost.addEventListener("abort", resolve));
      await kv.delete(other.condition.key);
      await lost;
      assert.equal(other.lost.reason.code, "LOCK_LOST");
      await world.sleep(5_000);
      assert.equal(world.store.leases.size, 0, "nothing keeps its lease alive");
    });
  });
});

test("a lock is let go where a block ends", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const held = await lock(kv, "a");
      await held[Symbol.asyncDispose]();
      assert.notEqual(await tryLock(kv, "a"), null);
    });
  });
});

test("a name within another name is another lock", async () => {
  await world((world) => {
    world.client(async (kv) => {
      await lock(kv, "a/b");
      assert.notEqual(await tryLock(kv, "a"), null);
      assert.notEqual(await tryLock(kv, "a%2Fb"), null);
      assert.equal(await tryLock(kv, "a/b"), null);
    });
  });
});

test("an attempt takes the lock only if nobody has it and nobody waits", async () => {
  await worlds(calm, (world) => {
    const holders = new Holders(world, 1);
    for (let client = 0; client < 4; client++) {
      world.client(async (kv, self) => {
        for (let round = 0; round < 5; round++) {
          const held = await tryLock(kv, "a");
          if (held === null) continue;
          await holders.during(held, self, () => world.sleep(world.random.below(500)));
          await held.release();
        }
      });
    }
    return () => assert.equal(world.store.keys.size, 0);
  });
});

test("an attempt at a lock that is taken costs the log nothing", async () => {
  await world((world) => {
    world.client(async (kv) => {
      await lock(kv, "a", { ttl: 80_000_000 });
      const { lease, txn } = world.counts;
      assert.equal(await tryLock(kv, "a"), null);
      assert.deepEqual([world.counts.lease, world.counts.txn], [lease, txn]);
    });
  });
});

test("who gives up leaves the line, and those behind move up", async () => {
  await worlds(calm, (world) => {
    world.client(async (kv) => {
      const held = await lock(kv, "a");
      await world.sleep(20_000);
      await held.release();
    });
    world.client(async (kv) => {
      await world.sleep(1_000);
      const stop = new AbortController();
      const work = Promise.all([
        failure(lock(kv, "a", { timeout: 2_000 }), "TIMEOUT"),
        failure(lock(kv, "a", { signal: stop.signal }), "ABORTED"),
      ]);
      await world.sleep(3_000);
      stop.abort("enough");
      const [late, aborted] = await work;
      assert.equal(late.outcome, "not-applied");
      assert.equal(aborted.cause, "enough");
    });
    world.client(async (kv) => {
      await world.sleep(5_000);
      await (await lock(kv, "a")).release();
    });
    return () => assert.equal(world.store.keys.size, 0);
  });
});

test("who loses its place while it waits is told so at once", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const held = await lock(kv, "a");
      await world.sleep(60_000);
      assert.equal(held.lost.aborted, false);
    });
    world.client(async (kv) => {
      await world.sleep(1_000);
      const waiting = failure(lock(kv, "a"), "LOCK_LOST");
      await world.sleep(1_000);
      const { entries } = await kv.range({
        prefix: "lock/a/",
        orderBy: "createRevision",
        only: "keys",
      });
      assert.equal(entries.length, 2);
      await kv.delete(entries[1].key);
      await waiting;
      assert.ok(world.now < 50_000);
    });
  });
});

test("who loses its place together with the one before it does not get the lock", async () => {
  await worlds(calm, (world) => {
    for (let client = 0; client < 2; client++) {
      world.client(async (kv) => {
        await world.sleep(client * 3_000);
        const error = await failure(
          lock(kv, "a").then(async (held) => {
            if (client === 1) assert.fail("the place was gone before the lock was given");
            await new Promise((resolve) => held.lost.addEventListener("abort", resolve));
            throw held.lost.reason;
          }),
          "LOCK_LOST",
        );
        assert.equal(error.outcome, "not-applied");
      });
    }
    world.client(async (kv) => {
      await world.sleep(15_000);
      assert.equal((await kv.deleteRange({ prefix: "lock/a/" })).deleted, 2);
    });
  });
});

test("who cannot reach the store is told by its own clock before another one gets the lock", async () => {
  await worlds(
    calm,
    (world) => {
      let lostAt;
      world.client(async (kv, self) => {
        const held = await lock(kv, "a", { ttl: 5_000 });
        held.lost.addEventListener("abort", () => {
          lostAt = world.now;
        });
        const since = world.now;
        self.cut(60_000);
        await world.sleep(30_000);
        assert.ok(lostAt <= since + 5_000, `${lostAt - since} ms`);
        assert.equal(held.lost.reason.code, "LOCK_LOST");
        assert.equal(held.lost.reason.cause.code, "LEASE_LOST");
      });
      world.client(async (kv) => {
        await world.sleep(10_000);
        await lock(kv, "a");
        assert.ok(lostAt <= world.now);
      });
    },
    40,
  );
});

test("a past that is forgotten costs nobody a lock", async () => {
  await worlds({ compact: 10 }, (world) => {
    const tokens = contest(world);
    return () => assert.equal(tokens.length, 12);
  });
});

test("a place whose making got no answer keeps nobody waiting", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const json = kv.as("json");
      const lease = json.lease.bind(json);
      const txn = async (...args) => {
        await json.txn(...args);
        throw errors.quorateError("TIMEOUT", "no answer came", { outcome: "unknown" });
      };
      await failure(lock({ as: () => ({ lease, txn }) }, "a"), "TIMEOUT");
      assert.equal(world.store.keys.size, 1, "the place was made");
      await world.sleep(5_000);
      assert.notEqual(await tryLock(kv, "a"), null);
    });
  });
});

test("the lock of one who dies goes to the next one when its time is over", async () => {
  await world((world) => {
    const dying = world.client(async (kv) => {
      await lock(kv, "a", { ttl: 5_000 });
      dying.strike();
    });
    world.client(async (kv) => {
      await world.sleep(1_000);
      await lock(kv, "a");
      assert.ok(world.now <= 10_000, `${world.now}`);
    });
  });
});
