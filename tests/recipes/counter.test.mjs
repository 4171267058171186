// Counters: exact sums, which can be followed.

import assert from "node:assert/strict";
import test from "node:test";

import { calm, failure, rough, world, worlds } from "./help.mjs";
import { recipes } from "./model/build.mjs";

const { counter } = recipes;

test("the sum is exact, and calls without an answer count once or not at all", async () => {
  await worlds(rough, (world) => {
    let [sure, perhaps] = [0, 0];
    for (let client = 0; client < 4; client++) {
      world.client(async (kv, self) => {
        self.mortal = false;
        for (let round = 1; round <= 5; round++) {
          try {
            await counter(kv, "a").add(round);
            sure += round;
          } catch (error) {
            assert.equal(error.outcome, "unknown");
            perhaps += round;
          }
        }
      });
    }
    return () => {
      const sum = Number(world.store.keys.get("counter/a").value);
      assert.ok(sum >= sure && sum <= sure + perhaps, `${sure} <= ${sum} <= ${sure + perhaps}`);
    };
  });
});

test("a counter adds, subtracts and stands at 0 at first", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const it = counter(kv, "a/b");
      assert.equal(await it.get(), 0);
      assert.equal(await it.add(), 1);
      assert.equal(await it.add(-3), -2);
      assert.equal(await it.get(), -2);
      assert.equal((await kv.get("counter/a%2Fb")).value, -2);
      await kv.put("counter/a%2Fb", "text");
      await failure(it.get(), "NOT_AN_INTEGER");
      await kv.put("counter/a%2Fb", 2 ** 53);
      await failure(it.get(), "NUMBER_TOO_LARGE");
    });
  });
});

test("who follows a counter sees it grow, and where it ends", async () => {
  await worlds({ compact: 2 }, (world) => {
    const seen = [];
    const stop = new AbortController();
    world.client(async (kv) => {
      for await (const value of counter(kv, "a").watch({ signal: stop.signal })) {
        seen.push(value);
        if (value === 10) break;
      }
    });
    for (let client = 0; client < 2; client++) {
      world.client(async (kv) => {
        for (let round = 0; round < 5; round++) await counter(kv, "a").add();
      });
    }
    return () => {
      assert.equal(seen.at(-1), 10);
      assert.ok(
        seen.every((value, at) => at === 0 || value > seen[at - 1]),
        `${seen}`,
      );
    };
  });
});

test("following can be left while the next sum is waited for", async () => {
  await worlds(
    calm,
    (world) => {
      world.client(async (kv) => {
        const following = counter(kv, "a").watch();
        const first = following.next();
        if (world.random.chance(50)) assert.equal((await first).value, 0);
        const next = following.next();
        await world.sleep(world.random.below(500));
        assert.deepEqual(await following.return(), { done: true, value: undefined });
        assert.deepEqual(await next, { done: true, value: undefined });
        assert.deepEqual(await following.next(), { done: true, value: undefined });
        assert.deepEqual(world.watches, []);
      });
    },
    40,
  );
});

test("following ends by its signal", async () => {
  await worlds(
    calm,
    (world) => {
      world.client(async (kv) => {
        const stop = new AbortController();
        const following = counter(kv, "a").watch({ signal: stop.signal });
        assert.deepEqual(await following.next(), { done: false, value: 0 });
        const next = failure(following.next(), "ABORTED");
        await world.sleep(1_000);
        stop.abort();
        await next;
      });
    },
    20,
  );
});
