// What callers get wrong: every recipe says so before anything happens.

import assert from "node:assert/strict";
import test from "node:test";

import { failure, world } from "./help.mjs";
import { errors, recipes } from "./model/build.mjs";

const { barrier, counter, doubleBarrier, election, leaderTask, lock, queue, semaphore, tryLock } =
  recipes;

/** Each must fail as an argument does, also those that fail at once. */
async function refused(calls) {
  await world((world) => {
    world.client(async (kv) => {
      for (const call of calls) {
        const error = await failure(async () => call(kv), "INVALID_ARGUMENT");
        assert.ok(error instanceof errors.ArgumentError, `${call}`);
      }
      assert.deepEqual(world.counts, {}, "the store was not asked");
    });
  });
}

const made = [
  ["lock", (kv, name) => lock(kv, name)],
  ["attempt at a lock", (kv, name) => tryLock(kv, name)],
  ["election", (kv, name) => election(kv, name)],
  ["semaphore", (kv, name) => semaphore(kv, name, 1)],
  ["barrier", (kv, name) => barrier(kv, name)],
  ["double barrier", (kv, name) => doubleBarrier(kv, name, 1)],
  ["queue", (kv, name) => queue(kv, name)],
  ["counter", (kv, name) => counter(kv, name)],
  ["leader task", (kv, name) => leaderTask(kv, name, () => {})],
];

for (const [what, make] of made) {
  test(`a ${what} has a name`, async () => {
    const names = [undefined, null, "", 7, {}, "\ud800", "a".repeat(201), "ä".repeat(101)];
    await refused(names.map((name) => (kv) => make(kv, name)));
  });
}

const held = [
  ["lock", (kv, options) => lock(kv, "a", options)],
  ["attempt at a lock", (kv, options) => tryLock(kv, "a", options)],
  ["campaign", (kv, options) => election(kv, "a").campaign(1, options)],
  ["permit", (kv, options) => semaphore(kv, "a", 1).acquire(options)],
  ["attempt at a permit", (kv, options) => semaphore(kv, "a", 1).tryAcquire(options)],
  ["hold", (kv, options) => barrier(kv, "a").hold(options)],
  ["entrance", (kv, options) => doubleBarrier(kv, "a", 1).enter(options)],
  ["claim", (kv, options) => queue(kv, "a").claim(options)],
];

const waits = [
  { nonsense: 1 },
  null,
  [],
  "text",
  { signal: {} },
  { timeout: 0 },
  { timeout: 1.5 },
  { timeout: "1" },
  { timeout: Number.POSITIVE_INFINITY },
];

for (const [what, take] of held) {
  test(`the options of a ${what} are checked`, async () => {
    const ttls = [0, 99, 100.5, "5000", null, Number.NaN, 86_400_001];
    const all = [...waits, ...ttls.map((ttl) => ({ ttl }))];
    await refused(all.map((options) => (kv) => take(kv, options)));
  });
}

const waited = [
  ["take", (kv, options) => queue(kv, "a").take(options)],
  ["attempt to take", (kv, options) => queue(kv, "a").tryTake(options)],
  ["enqueueing", (kv, options) => queue(kv, "a").enqueue(1, options)],
  ["wait at a barrier", (kv, options) => barrier(kv, "a").wait(options)],
];

for (const [what, wait] of waited) {
  test(`the options of a ${what} are checked`, async () => {
    await refused([...waits, { ttl: 1_000 }].map((options) => (kv) => wait(kv, options)));
  });
}

test("other numbers and functions are checked", async () => {
  await refused([
    ...[0, 1.5, 1_001, "2", undefined].flatMap((number) => [
      (kv) => semaphore(kv, "a", number),
      (kv) => doubleBarrier(kv, "a", number),
    ]),
    ...[{ capacity: 0 }, { capacity: 1_000_001 }, { size: 1 }].map(
      (options) => (kv) => queue(kv, "a", options),
    ),
    ...[{ priority: 1_001 }, { priority: 0.5 }, { priority: "high" }, { wait: 1 }].map(
      (options) => (kv) => queue(kv, "a").enqueue(1, options),
    ),
    (kv) => leaderTask(kv, "a"),
    (kv) => leaderTask(kv, "a", "run"),
    ...[
      { nonsense: 1 },
      { ttl: 5 },
      { signal: 1 },
      { onError: 1 },
      { pause: 1 },
      { pause: { first: 0 } },
      { pause: { first: 10, most: 5 } },
      { pause: { last: 1 } },
    ].map((options) => (kv) => leaderTask(kv, "a", () => {}, options)),
    (kv) => election(kv, "a").observe({ timeout: 1 }),
    (kv) => counter(kv, "a").watch({ timeout: 1 }),
    (kv) => queue(kv, "a").values({ timeout: 1 }),
  ]);
});

test("a signal that was aborted before ends a call before it begins", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const signal = AbortSignal.abort("before");
      for (const [, take] of [...held, ...waited]) {
        const error = await failure(take(kv, { signal }), "ABORTED");
        assert.deepEqual([error.cause, error.outcome], ["before", "not-applied"]);
      }
      assert.deepEqual(world.counts, {});
    });
  });
});

test("values are looked at before anything else happens", async () => {
  const cycle = [];
  cycle.push(cycle);
  const wrong = [undefined, cycle, 1n, () => 1, Number.NaN];
  await refused(
    wrong.flatMap((value) => [
      (kv) => election(kv, "a").campaign(value),
      (kv) => queue(kv, "a").enqueue(value),
      ...(value === undefined ? [] : [(kv) => leaderTask(kv, "a", () => {}, { value })]),
    ]),
  );
  await world((world) => {
    world.client(async (kv) => {
      const full = queue(kv, "a", { capacity: 1 });
      await full.enqueue(1);
      await failure(full.enqueue(undefined), "INVALID_ARGUMENT");
      await failure(full.enqueue("a".repeat(1 << 20)), "VALUE_TOO_LARGE");
      const error = await failure(full.enqueue(2, { timeout: 50 }), "TIMEOUT");
      assert.match(error.message, /had no room within 50 ms/);
    });
  });
});

test("the operations of a claim that is done are a list", async () => {
  await world((world) => {
    world.client(async (kv) => {
      await queue(kv, "a").enqueue(1);
      const claim = await queue(kv, "a").claim();
      await failure(claim.done({ put: "a", value: 1 }), "INVALID_ARGUMENT");
      const operations = Array.from({ length: 128 }, (_, key) => ({ put: `k${key}`, value: 1 }));
      const error = await failure(claim.done(operations), "TOO_MANY_OPERATIONS");
      assert.match(error.message, /127/);
      await claim.done(operations.slice(1));
    });
  });
});
