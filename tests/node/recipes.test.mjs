// Recipes on a cluster of threads: what tests/recipes shows in a model holds in the real store, while nodes are killed.

import assert from "node:assert/strict";
import test from "node:test";
import { failure, open, others, scratch, until } from "./help.mjs";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const event = (signal) =>
  signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));

/** Kills the leader and starts it again, so often. */
async function trouble(cluster, times) {
  for (let time = 0; time < times; time++) {
    const leader = cluster.node(await cluster.leader());
    await leader.kill();
    await cluster.leader();
    await leader.start();
  }
}

test("a lock has one holder at a time while leaders are killed", async (t) => {
  const cluster = await open(t);
  const tokens = [];
  let holders = 0;
  const contenders = [1, 2, 3, 4].map(async () => {
    for (let round = 0; round < 5; round++) {
      const lock = await cluster.kv.lock("a", { ttl: 5_000 });
      tokens.push(lock.token);
      assert.equal(++holders, 1);
      const { succeeded } = await cluster.kv.txn({
        if: [lock.condition],
        do: [{ increment: "rounds" }],
      });
      assert.equal(succeeded, true);
      holders--;
      await lock.release();
    }
  });
  await Promise.all([...contenders, trouble(cluster, 2)]);
  assert.deepEqual(
    tokens,
    [...tokens].sort((a, b) => a - b),
  );
  assert.equal((await cluster.kv.get("rounds")).value, 20);
  assert.equal((await cluster.kv.range({ prefix: "lock/" })).count, 0);
});

test("who cannot be heard loses the lock in time, and another one gets it", async (t) => {
  const cluster = await open(t);
  const lock = await cluster.kv.as("bytes").lock("a", { ttl: 1_000 });
  assert.equal(await cluster.kv.tryLock("a"), null);
  const away = others(cluster, await cluster.leader());
  await Promise.all(away.map((id) => cluster.node(id).kill()));
  await event(lock.lost);
  assert.equal(lock.lost.reason.code, "LOCK_LOST");
  assert.equal(lock.lost.reason.cause.code, "LEASE_LOST");
  await Promise.all(away.map((id) => cluster.node(id).start()));
  const next = await cluster.kv.lock("a");
  assert.ok(next.token > lock.token);
  const { succeeded } = await cluster.kv.txn({
    if: [lock.condition],
    do: [{ put: "k", value: 1 }],
  });
  assert.equal(succeeded, false);
});

test("many who wait share a signal, without a warning", async (t) => {
  const warnings = [];
  const warned = (warning) => warnings.push(warning.message);
  process.on("warning", warned);
  t.after(() => process.off("warning", warned));
  const { kv } = await open(t, { nodes: 1 });
  await kv.lock("a");
  const control = new AbortController();
  const many = (wait) => Array.from({ length: 12 }, () => wait({ signal: control.signal }));
  const locks = many((options) => failure(kv.lock("a", options), "ABORTED"));
  const tasks = many((options) => kv.leaderTask("a", () => {}, options).ended);
  control.abort();
  await Promise.all([...locks, ...tasks]);
  // Warnings come with the next turn.
  await new Promise(setImmediate);
  assert.deepEqual(warnings, []);
});

test("the lock of a process that ended goes when its lease does", async (t) => {
  const directory = scratch(t);
  const first = await open(t, { storage: "directory", directory });
  const held = await first.kv.lock("a", { ttl: 4_000 });
  await first.close();
  await event(held.lost);
  const second = await open(t, { storage: "directory", directory });
  assert.equal(await second.kv.tryLock("a"), null, "it outlives its process for a while");
  const next = await second.kv.lock("a");
  assert.ok(next.token > held.token);
  await next[Symbol.asyncDispose]();
  await failure(first.kv.lock("a"), "CLOSED");
});

test("waiting for a lock ends by timeout and by signal", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const lock = await kv.lock("a");
  await failure(kv.lock("a", { timeout: 100 }), "TIMEOUT");
  const stop = new AbortController();
  const waiting = failure(kv.lock("a", { signal: stop.signal }), "ABORTED");
  await sleep(50);
  stop.abort();
  await waiting;
  await until(
    async () => (await kv.range({ prefix: "lock/a/" })).count === 1,
    "they left the line",
  );
  await failure(kv.lock("a", { tll: 5_000 }), "INVALID_ARGUMENT");
  await lock.release();
  await lock.release();
});

test("an election is observed through proclamations, resignations and kills", async (t) => {
  const cluster = await open(t);
  const election = cluster.kv.election("a");
  const told = [];
  const observer = (async () => {
    for await (const leader of election.observe()) {
      told.push(leader?.value ?? null);
      if (leader?.value === "second") break;
    }
  })();
  await until(() => told.length === 1, "nobody leads");
  const first = await election.campaign("first");
  await until(() => told.length === 2, "the first leads");
  const second = election.campaign("second");
  await trouble(cluster, 1);
  await first.proclaim("still first");
  await until(() => told.length === 3, "the proclamation");
  await first.resign();
  const tenure = await second;
  assert.deepEqual(await election.leader(), { value: "second", token: tenure.token });
  await observer;
  assert.deepEqual(told, [null, "first", "still first", "second"]);
  await failure(first.proclaim("again"), "ABORTED");
});

test("a semaphore never has more holders than permits", async (t) => {
  const { kv } = await open(t);
  let [now, most] = [0, 0];
  await Promise.all(
    [1, 2, 3, 4, 5].map(async () => {
      for (let round = 0; round < 3; round++) {
        const permit = await kv.semaphore("a", 2).acquire();
        most = Math.max(most, ++now);
        await sleep(5);
        now--;
        await permit.release();
      }
    }),
  );
  assert.equal(most, 2);
  const permit = await kv.semaphore("a", 2).tryAcquire();
  await failure(kv.semaphore("a", 3).acquire(), "INVALID_ARGUMENT");
  await permit.release();
});

test("a barrier holds back, and a double barrier begins and ends together", async (t) => {
  const { kv } = await open(t);
  const hold = await kv.barrier("a").hold();
  await failure(kv.barrier("a").wait({ timeout: 100 }), "TIMEOUT");
  const waiting = kv.barrier("a").wait();
  await hold.release();
  await waiting;

  let [inside, left] = [0, 0];
  await Promise.all(
    [1, 2, 3].map(async () => {
      inside++;
      const part = await kv.doubleBarrier("a", 3).enter();
      assert.equal(inside, 3);
      left++;
      await part.leave();
      assert.equal(left, 3);
    }),
  );
});

test("each value of a queue is worked on once while leaders are killed", async (t) => {
  const cluster = await open(t);
  const { kv } = cluster;
  const values = Array.from({ length: 20 }, (_, at) => at);
  const taken = [];
  const takers = [1, 2].map(async () => {
    while (taken.length < 10) {
      const value = await kv.queue("a").take({ timeout: 20_000 });
      if (value !== null) taken.push(value);
    }
    await kv.queue("a").enqueue(null);
  });
  const workers = [1, 2].map(async () => {
    for (;;) {
      const claim = await kv.queue("b").claim({ timeout: 20_000 });
      await claim.done([{ increment: `done/${claim.value}` }]);
      if ((await kv.range({ prefix: "done/" })).count === 10) return kv.queue("b").enqueue("end");
      if (claim.value === "end") return undefined;
    }
  });
  const producer = (async () => {
    for (const value of values) {
      await kv.queue(value < 10 ? "a" : "b", { capacity: 5 }).enqueue(value);
    }
  })();
  await Promise.all([producer, ...takers, ...workers, trouble(cluster, 2)]);
  assert.deepEqual(taken.sort(), values.slice(0, 10));
  const { entries } = await kv.range({ prefix: "done/1" });
  assert.deepEqual(
    entries.map(({ value }) => value),
    Array(10).fill(1),
  );
});

test("a counter is exact while leaders are killed", async (t) => {
  const cluster = await open(t);
  const counter = cluster.kv.counter("a");
  const adders = [1, 2, 3].map(async () => {
    for (let round = 0; round < 20; round++) await counter.add();
  });
  const seen = [];
  const observer = (async () => {
    for await (const value of counter.watch()) {
      seen.push(value);
      if (value === 60) break;
    }
  })();
  await Promise.all([...adders, trouble(cluster, 2), observer]);
  assert.equal(await counter.get(), 60);
  assert.ok(seen.every((value, at) => at === 0 || value > seen[at - 1]));
});

test("a leader task runs in one place, is told of its end, and goes on elsewhere", async (t) => {
  const cluster = await open(t);
  let [running, runs] = [0, 0];
  const run = async (signal) => {
    assert.equal(++running, 1);
    runs++;
    await event(signal);
    running--;
  };
  const tasks = [1, 2, 3].map(() =>
    cluster.kv.leaderTask("a", run, { ttl: 1_000, onError: () => {} }),
  );
  await until(() => running === 1, "one runs");
  const first = tasks.find(({ token }) => token !== undefined);
  await first.stop();
  await until(() => running === 1, "another one runs");
  assert.equal(first.token, undefined);

  const away = others(cluster, await cluster.leader());
  await Promise.all(away.map((id) => cluster.node(id).kill()));
  await until(() => running === 0, "it is told that nobody hears it");
  const before = runs;
  await Promise.all(away.map((id) => cluster.node(id).start()));
  await until(() => runs > before && running === 1, "it goes on");
  await Promise.all(tasks.map((task) => task.stop()));
  assert.equal(running, 0);

  const last = cluster.kv.leaderTask("a", run);
  await until(() => running === 1, "the last one runs");
  await cluster.close();
  await last.ended;
});
