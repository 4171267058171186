// Queues: each value to one taker, in order, and back where its taker dies.

import assert from "node:assert/strict";
import test from "node:test";

import { calm, failure, forgive, rough, world, worlds } from "./help.mjs";
import { errors, recipes } from "./model/build.mjs";

const { queue } = recipes;

/** Puts values in, and notes which of them are in for sure, and which perhaps. */
function produce(world, { producers = 2, values = 6, options = {} } = {}) {
  const [sure, perhaps] = [new Set(), new Set()];
  let left = producers;
  for (let producer = 0; producer < producers; producer++) {
    world.client(async (kv, self) => {
      self.mortal = false;
      const all = queue(kv, "a", options);
      for (let value = 0; value < values; value++) {
        const name = `${producer}.${value}`;
        try {
          await all.enqueue(name);
          sure.add(name);
        } catch (error) {
          if (forgive(error).outcome === "unknown") perhaps.add(name);
        }
      }
      left--;
    });
  }
  return { sure, perhaps, ended: () => left === 0 };
}

/** How many values are in it, as the store has it. */
const inside = (world) =>
  [...world.store.keys.keys()].filter((key) => key.startsWith("queue/a/item/")).length;

function consume(world, made, takers, work) {
  for (let taker = 0; taker < takers; taker++) {
    world.client(async (kv, self) => {
      const all = queue(kv, "a");
      while (!made.ended() || inside(world) > 0) {
        try {
          await work(all, self, kv);
        } catch (error) {
          forgive(error);
        }
      }
    });
  }
}

test("each value is taken once, and none is left", async () => {
  await worlds(calm, (world) => {
    const made = produce(world);
    const taken = [];
    consume(world, made, 3, async (all) => taken.push(await all.take({ timeout: 5_000 })));
    return () => assert.deepEqual(taken.sort(), [...made.sure].sort());
  });
});

test("no value is taken twice, and none is lost but with its taker", async () => {
  let lost = 0;
  await worlds(rough, (world) => {
    const made = produce(world);
    const [taken, doubtful] = [[], []];
    consume(world, made, 3, async (all, self) => {
      const index = doubtful.push(self) - 1;
      try {
        taken.push(await all.take({ timeout: 60_000 }));
        delete doubtful[index];
      } catch (error) {
        if (error.outcome !== "unknown") delete doubtful[index];
        throw error;
      }
    });
    // Somebody must be left to take the rest.
    world.clients.at(-1).mortal = false;
    return () => {
      assert.equal(new Set(taken).size, taken.length, `twice: ${taken}`);
      for (const value of taken) assert.ok(made.sure.has(value) || made.perhaps.has(value));
      const missing = [...made.sure].filter((value) => !taken.includes(value));
      lost += missing.length;
      assert.ok(missing.length <= Object.keys(doubtful).length, `nobody took ${missing}`);
    };
  });
  assert.ok(lost > 0, "the deaths came where they hurt");
});

test("a lost answer loses no value: the removal is repeated until it is known", async () => {
  await worlds({ unknown: 20 }, (world) => {
    const made = produce(world);
    const taken = [];
    consume(world, made, 3, async (all) => {
      try {
        taken.push(await all.take({ timeout: 60_000 }));
      } catch (error) {
        assert.equal(error.outcome, "not-applied", error.message);
        throw error;
      }
    });
    return () => {
      assert.equal(new Set(taken).size, taken.length);
      for (const value of made.sure) assert.ok(taken.includes(value), `nobody took ${value}`);
    };
  });
});

test("what takers claim is done exactly once, though they die, stall and get no answer", async () => {
  let again = 0;
  await worlds({ ...rough, stall: 0.5 }, (world) => {
    const made = produce(world);
    const begun = [];
    consume(world, made, 3, async (all) => {
      const claim = await all.claim({ ttl: 3_000, timeout: 10_000 });
      assert.equal(claim.lost.aborted, false, "what is given is not lost already");
      begun.push(claim.value);
      await world.sleep(world.random.below(3_000));
      for (;;) {
        try {
          return await claim.done([{ increment: `effect/${claim.value}` }]);
        } catch (error) {
          if (error.outcome !== "unknown") throw error;
        }
      }
    });
    world.clients.at(-1).mortal = false;
    return () => {
      again += begun.length - new Set(begun).size;
      const effects = [...world.store.keys].filter(([key]) => key.startsWith("effect/"));
      for (const [key, { value }] of effects) assert.equal(value, "1", key);
      const done = new Set(effects.map(([key]) => key.slice(7)));
      for (const value of made.sure) assert.ok(done.has(value), `${value} was never done`);
    };
  });
  assert.ok(again > 0, "some were begun again");
});

test("what one has claimed another one does not take", async () => {
  await worlds(calm, (world) => {
    const made = produce(world);
    const taken = [];
    consume(world, made, 3, async (all) => {
      if (world.random.chance(50)) {
        taken.push(await all.take({ timeout: 5_000 }));
        return;
      }
      const claim = await all.claim({ timeout: 5_000 });
      await world.sleep(world.random.below(500));
      const failed = await claim.done().catch((error) => error);
      assert.equal(failed, undefined, "what is claimed can be done");
      taken.push(claim.value);
    });
    return () => assert.deepEqual(taken.sort(), [...made.sure].sort());
  });
});

test("a claimed value is nobody else's, and comes back when it is given back or its taker dies", async () => {
  await worlds({ compact: 2 }, (world) => {
    world.client(async (kv) => {
      const all = queue(kv, "a");
      await all.enqueue(1);
      await all.enqueue(2);
      const claim = await all.claim();
      assert.equal(claim.value, 1);
      assert.equal(await all.tryTake(), 2);
      assert.equal(await all.tryTake(), undefined);
      assert.equal(await all.size(), 1);
      const waiting = all.claim({ ttl: 2_000 });
      await claim.release();
      const second = await waiting;
      assert.equal(second.value, 1);
      assert.ok(second.token > claim.token);
      await failure(claim.done(), "LOCK_LOST");
      await second.done();
      await second.done();
      assert.equal(await all.size(), 0);
    });
    const dying = world.client(async (kv) => {
      await queue(kv, "b").enqueue(null);
      await queue(kv, "b").claim({ ttl: 2_000 });
      dying.strike();
    });
    world.client(async (kv) => {
      while (!dying.dead) await world.sleep(100);
      assert.equal(await queue(kv, "b").tryTake(), undefined);
      assert.equal(await queue(kv, "b").take(), null);
    });
  });
});

test("what is done with a value happens with it or not at all", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const all = queue(kv, "a");
      await all.enqueue(7);
      const claim = await all.claim();
      await kv.delete(claim.condition.key);
      await failure(claim.done([{ put: "effect", value: 7 }]), "LOCK_LOST");
      assert.equal(await kv.get("effect"), null);
      const other = await all.claim();
      await other.done([
        { put: "effect", value: other.value },
        { increment: "count", by: 2 },
      ]);
      assert.equal((await kv.get("effect")).value, 7);
      assert.equal((await kv.get("count")).value, 2);
    });
  });
});

test("values come in order, the greater priority first", async () => {
  await worlds({ compact: 2 }, (world) => {
    world.client(async (kv) => {
      const all = queue(kv, "a");
      for (const [value, priority] of [
        ["c", 0],
        ["d", 0],
        ["a", 1_000],
        ["b", 1],
        ["g", -1_000],
        ["e", undefined],
        ["f", -1],
      ]) {
        await all.enqueue(value, priority === undefined ? {} : { priority });
      }
      const taken = [];
      for await (const value of all) {
        taken.push(value);
        if (taken.length === 7) break;
      }
      assert.equal(taken.join(""), "abcdefg");
    });
  });
});

test("one taker gets the values of each producer in their order", async () => {
  await worlds(calm, (world) => {
    const made = produce(world, { producers: 3 });
    const taken = [];
    consume(world, made, 1, async (all) => taken.push(await all.take({ timeout: 5_000 })));
    return () => {
      for (const producer of ["0", "1", "2"]) {
        const of = taken.filter((value) => value.startsWith(`${producer}.`));
        assert.deepEqual(of, [...of].sort());
        assert.equal(of.length, 6);
      }
    };
  });
});

test("a queue never holds more than its capacity, and who waits for room gets it", async () => {
  let full = 0;
  await worlds({ unknown: 3, compact: 2 }, (world) => {
    const made = produce(world, { producers: 4, values: 4, options: { capacity: 2 } });
    const taken = [];
    consume(world, made, 2, async (all) => {
      await world.sleep(world.random.below(500));
      taken.push(await all.take({ timeout: 5_000 }));
    });
    world.invariant = () => {
      assert.ok(inside(world) <= 2, `${inside(world)} are in it`);
      if (inside(world) === 2) full++;
    };
    return () => assert.equal(new Set(taken).size, taken.length);
  });
  assert.ok(full > 0);
});

test("who does not want to wait for room is told so", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const all = queue(kv, "a", { capacity: 1 });
      await all.enqueue(1, { wait: false });
      const error = await failure(all.enqueue(2, { wait: false }), "QUEUE_FULL");
      assert.deepEqual([error.retryable, error.outcome], [true, "not-applied"]);
      await failure(all.enqueue(2, { timeout: 500 }), "TIMEOUT");
      assert.equal(await all.size(), 1);
      assert.equal(await all.take(), 1);
      await all.enqueue(2, { wait: false });
    });
  });
});

test("a claim behind many claimed values is found", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const all = queue(kv, "a");
      for (let value = 0; value < 70; value++) await all.enqueue(value);
      const claims = [];
      for (let value = 0; value < 69; value++) claims.push(await all.claim({ ttl: 80_000_000 }));
      assert.deepEqual(
        claims.map(({ value }) => value),
        [...Array(69).keys()],
      );
      assert.equal(await all.take(), 69);
      assert.equal(await all.tryTake(), undefined);
    });
  });
});

test("a loop over values can be left while it waits, and tells of a value that is lost by that", async () => {
  const ends = new Set();
  await worlds(calm, (world) => {
    world.client(async (kv) => {
      const all = queue(kv, "a");
      const values = all.values();
      const next = values.next().then(
        ({ done, value }) => (done ? "done" : value),
        ({ outcome }) => outcome,
      );
      await world.sleep(world.random.below(2_000));
      assert.deepEqual(await values.return(), { done: true, value: undefined });
      const end = await next;
      ends.add(end);
      await world.sleep(10_000);
      assert.deepEqual(world.watches, []);
      if (end !== "unknown") assert.equal(await all.size(), end === "done" ? 1 : 0);
    });
    world.client((kv) => queue(kv, "a").enqueue("value"));
  });
  assert.deepEqual([...ends].sort(), ["done", "unknown", "value"]);
});

test("a value that is done twice at a time is done once, and both know", async () => {
  await worlds(calm, (world) => {
    world.client(async (kv) => {
      const all = queue(kv, "a");
      await all.enqueue(1);
      const claim = await all.claim();
      await Promise.all([1, 2].map(() => claim.done([{ increment: "count" }])));
      assert.equal((await kv.get("count")).value, 1);
    });
  });
});

test("a taker that is interrupted says whether it can have taken the value", async () => {
  const outcomes = new Set();
  await worlds(
    calm,
    (world) => {
      const stop = new AbortController();
      world.client(async (kv) => {
        const all = queue(kv, "a");
        await all.enqueue(1);
        let outcome = "taken";
        try {
          await all.take({ signal: stop.signal });
        } catch (error) {
          assert.deepEqual([error.code, error.cause], ["ABORTED", "now"]);
          outcome = error.outcome;
        }
        outcomes.add(outcome);
        await world.sleep(10_000);
        if (outcome === "not-applied") assert.equal(await all.size(), 1);
        if (outcome === "taken") assert.equal(await all.size(), 0);
      });
      world.client(async () => {
        await world.sleep(world.random.below(1_500));
        stop.abort("now");
      });
    },
    150,
  );
  assert.deepEqual([...outcomes].sort(), ["not-applied", "taken", "unknown"]);
});

test("who waits at an empty queue gets the value that comes", async () => {
  await worlds({ compact: 2 }, (world) => {
    for (const take of [(all) => all.take(), async (all) => (await all.claim()).value]) {
      world.client(async (kv) => {
        assert.equal(await take(queue(kv, "a")), 1);
      });
    }
    world.client(async (kv) => {
      await world.sleep(world.random.below(5_000));
      await queue(kv, "a").enqueue(1);
      await world.sleep(5_000);
      await queue(kv, "a").enqueue(1);
    });
  });
});

test("an interrupted claim leaves nothing behind", async () => {
  await worlds(calm, (world) => {
    const stop = new AbortController();
    world.client(async (kv) => {
      await queue(kv, "a").enqueue(1);
      try {
        await (await queue(kv, "a").claim({ signal: stop.signal })).release();
      } catch (error) {
        assert.equal(error.code, "ABORTED");
      }
      await world.sleep(30_000);
      assert.equal(world.store.leases.size, 0);
      assert.equal(await queue(kv, "a").take(), 1);
    });
    world.client(async () => {
      await world.sleep(world.random.below(2_000));
      stop.abort();
    });
  });
});

test("a claim that got no answer leaves nothing behind", async () => {
  await world((world) => {
    world.client(async (kv) => {
      await queue(kv, "a").enqueue(1);
      const json = kv.as("json");
      const parts = ["range", "lease", "watch"].map((name) => [name, json[name].bind(json)]);
      const txn = async (...args) => {
        await json.txn(...args);
        throw errors.quorateError("TIMEOUT", "no answer came", { outcome: "unknown" });
      };
      const deaf = { as: () => ({ ...Object.fromEntries(parts), txn }) };
      await failure(queue(deaf, "a").claim(), "TIMEOUT");
      await world.sleep(5_000);
      assert.equal(world.store.leases.size, 0);
      assert.equal(await queue(kv, "a").tryTake(), 1);
    });
  });
});

test("a claim whose lease ends before it is made takes another one", async () => {
  await world((world) => {
    world.client(async (kv) => {
      await queue(kv, "a").enqueue(1);
      const json = kv.as("json");
      let leases = 0;
      const lease = async (options) => {
        const made = await json.lease(options);
        if (++leases === 1) world.store.revoke(made.id);
        return made;
      };
      const parts = ["range", "txn", "watch"].map((name) => [name, json[name].bind(json)]);
      const claim = await queue(
        { as: () => ({ ...Object.fromEntries(parts), lease }) },
        "a",
      ).claim();
      assert.deepEqual([claim.value, leases], [1, 2]);
    });
  });
});

test("what is done without an answer can be done again, and happens once", async () => {
  await world((world) => {
    world.client(async (kv) => {
      await queue(kv, "a").enqueue(1);
      const json = kv.as("json");
      const parts = ["range", "lease", "watch"].map((name) => [name, json[name].bind(json)]);
      let isDeaf = false;
      const txn = async (...args) => {
        const answer = await json.txn(...args);
        if (isDeaf) throw errors.quorateError("TIMEOUT", "no answer came", { outcome: "unknown" });
        return answer;
      };
      const claim = await queue({ as: () => ({ ...Object.fromEntries(parts), txn }) }, "a").claim();
      isDeaf = true;
      const error = await failure(claim.done([{ increment: "effect" }]), "TIMEOUT");
      assert.equal(error.outcome, "unknown");
      isDeaf = false;
      await claim.done([{ increment: "effect" }]);
      await claim.done([{ increment: "effect" }]);
      assert.equal((await kv.get("effect")).value, 1);
    });
  });
});

test("a value that somebody removed is not done", async () => {
  await world((world) => {
    world.client(async (kv) => {
      await queue(kv, "a").enqueue(1);
      const claim = await queue(kv, "a").claim();
      await kv.deleteRange({ prefix: "queue/a/item/" });
      await failure(claim.done([{ put: "effect", value: 1 }]), "LOCK_LOST");
      assert.equal(await kv.get("effect"), null);
    });
  });
});

test("waiting ends by timeout and signal, and takes nothing then", async () => {
  await worlds(calm, (world) => {
    world.client(async (kv) => {
      const all = queue(kv, "a");
      const stop = new AbortController();
      const waiting = [
        failure(all.take({ timeout: 1_000 }), "TIMEOUT"),
        failure(all.claim({ timeout: 1_000 }), "TIMEOUT"),
        failure(all.take({ signal: stop.signal }), "ABORTED"),
        failure(all.values({ signal: stop.signal }).next(), "ABORTED"),
      ];
      await world.sleep(2_000);
      stop.abort();
      await Promise.all(waiting);
      await all.enqueue(1);
      assert.equal(await all.take(), 1);
    });
  });
});
