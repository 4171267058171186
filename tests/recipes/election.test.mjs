// Elections: one leader at a time, whom all can see.

import assert from "node:assert/strict";
import test from "node:test";

import { calm, failure, forgive, Holders, rough, world, worlds } from "./help.mjs";
import { recipes } from "./model/build.mjs";

const { election } = recipes;

function contest(world, { rounds = 2, clients = 4 } = {}) {
  const holders = new Holders(world, 1);
  /** Who led with which values, and who was said to lead. */
  const [led, told] = [new Map(), []];
  let candidates = clients;
  for (let client = 0; client < clients; client++) {
    world.client(async (kv, self) => {
      const all = election(kv, "a");
      for (let round = 0; round < rounds; round++) {
        const value = `${client}.${round}`;
        try {
          const tenure = await all.campaign(value, { ttl: 3_000 });
          led.set(tenure.token, [value, `${value}!`]);
          await holders.during(tenure, self, async () => {
            await world.sleep(world.random.below(2_000));
            if (world.random.chance(50)) await tenure.proclaim(`${value}!`);
            await world.sleep(world.random.below(2_000));
          });
          await tenure.resign();
        } catch (error) {
          forgive(error);
        }
      }
      candidates--;
    });
  }
  const stop = new AbortController();
  world.client(async (kv) => {
    try {
      for await (const leader of election(kv, "a").observe({ signal: stop.signal }))
        told.push(leader);
    } catch (error) {
      if (error.code !== "TIMEOUT") assert.equal(error.code, "ABORTED");
    }
  });
  const end = world.client(async () => {
    while (candidates > world.clients.filter(({ dead }) => dead).length) await world.sleep(1_000);
    await world.sleep(30_000);
    stop.abort();
  });
  end.mortal = false;
  return { led, told };
}

function check({ told, led }, sure) {
  const leaders = told.filter((it) => it !== null);
  for (const [at, { token, value }] of leaders.entries()) {
    assert.ok(at === 0 || leaders[at - 1].token <= token, "who led is told in order");
    if (sure) assert.ok(led.get(token)?.includes(value), `${value} led`);
  }
}

test("one leads at a time, and others are told who", async () => {
  await worlds(calm, (world) => {
    const seen = contest(world);
    return () => {
      assert.equal(seen.led.size, 8);
      check(seen, true);
      assert.equal(seen.told.at(-1), null, "the end is told, too");
      assert.ok(seen.told.length > 1);
    };
  });
});

test("one leads at a time through deaths, lost answers and a forgotten past", async () => {
  await worlds(rough, (world) => {
    const seen = contest(world);
    return () => check(seen, false);
  });
});

test("the leader's value is what it proclaims, as long as it leads", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const all = election(kv, "a");
      assert.equal(await all.leader(), null);
      const tenure = await all.campaign({ at: 1 });
      assert.deepEqual(await all.leader(), { value: { at: 1 }, token: tenure.token });
      await tenure.proclaim({ at: 2 });
      assert.deepEqual(tenure.value, { at: 2 });
      assert.deepEqual(await all.leader(), { value: { at: 2 }, token: tenure.token });
      await kv.delete(tenure.condition.key);
      await failure(tenure.proclaim({ at: 3 }), "LEADERSHIP_LOST");
      assert.deepEqual(tenure.value, { at: 2 });
      assert.equal(await all.leader(), null);
      await world.sleep(5_000);
      assert.equal(tenure.lost.reason.code, "LEADERSHIP_LOST");
    });
  });
});

test("a proclamation keeps the place, and the next one leads after a resignation", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const all = election(kv, "a");
      const first = await all.campaign("first", { ttl: 5_000 });
      const second = all.campaign("second");
      await world.sleep(20_000);
      await first.proclaim("still first");
      assert.equal((await all.leader()).value, "still first");
      await first.resign();
      assert.equal((await second).token, (await all.leader()).token);
    });
  });
});

test("an observer sees what the leader proclaims, and the next leader", async () => {
  await worlds(
    { compact: 2 },
    (world) => {
      const told = [];
      world.client(async (kv) => {
        for await (const leader of election(kv, "a").observe()) {
          told.push(leader?.value ?? null);
          if (told.at(-1) === "b") break;
        }
      });
      world.client(async (kv) => {
        await world.sleep(10_000);
        const tenure = await election(kv, "a").campaign("a", { ttl: 80_000_000 });
        await world.sleep(10_000);
        await tenure.proclaim("a again");
        const next = election(kv, "a").campaign("b", { ttl: 80_000_000 });
        await world.sleep(10_000);
        await tenure.resign();
        await next;
      });
      return () => assert.deepEqual(told, [null, "a", "a again", "b"]);
    },
    30,
  );
});

test("an observer is not woken by those who wait", async () => {
  await world((world) => {
    const stop = new AbortController();
    const leads = election(world.client(() => {}).kv, "a");
    const told = [];
    world.client(async (kv) => {
      const tenure = await election(kv, "a").campaign("leader", { ttl: 80_000_000 });
      await world.sleep(50_000);
      stop.abort();
      await tenure.resign();
    });
    world.client(async (kv) => {
      await world.sleep(10_000);
      const looks = world.counts.range ?? 0;
      const observer = (async () => {
        for await (const leader of election(kv, "a").observe({ signal: stop.signal })) {
          told.push(leader.value);
        }
      })();
      const waiting = [1, 2, 3].map(async (value) => {
        const tenure = await election(kv, "a").campaign(value, { signal: stop.signal });
        await tenure.resign();
      });
      await Promise.allSettled([failure(observer, "ABORTED"), ...waiting]);
      assert.deepEqual(told, ["leader"]);
      assert.equal(world.counts.range - looks, 1, "one look, at first");
    });
    assert.equal(leads.name, "a");
  });
});
