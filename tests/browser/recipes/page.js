// Every recipe once, in a page, while the leader is killed: what came of it is left in `globalThis.outcome`.

import { Cluster } from "./quorate/auto.js";

const ended = (signal) => new Promise((resolve) => signal.addEventListener("abort", resolve));

async function story(cluster) {
  const { kv } = cluster;
  let [now, most, runs] = [0, 0, 0];
  const inside = async (hold) => {
    most = Math.max(most, ++now);
    await kv.txn({ if: [hold.condition], do: [{ increment: "rounds" }] });
    now--;
    await hold.release();
  };
  const rounds = async (acquire) => {
    for (let round = 0; round < 3; round++) await inside(await acquire());
  };
  const kill = async () => {
    const leader = cluster.node(await cluster.leader());
    await leader.kill();
    await cluster.leader();
    await leader.start();
  };
  await Promise.all([kill(), ...[1, 2, 3].map(() => rounds(() => kv.lock("a")))]);
  const locked = most;
  most = 0;
  const semaphore = kv.semaphore("a", 2);
  await Promise.all([1, 2, 3].map(() => rounds(() => semaphore.acquire())));

  const queue = kv.queue("a");
  for (const value of [1, 2, 3]) await queue.enqueue(value, { priority: value });
  const taken = [await queue.take()];
  const claim = await queue.claim();
  taken.push(claim.value);
  await claim.done([{ increment: "counter/a", by: 5 }]);
  taken.push(await queue.tryTake(), (await queue.tryTake()) ?? "nothing");

  const hold = await kv.barrier("a").hold();
  const waiting = kv.barrier("a").wait();
  await hold.release();
  await waiting;
  const parts = await Promise.all([1, 2].map(() => kv.doubleBarrier("a", 2).enter()));
  await Promise.all(parts.map((part) => part.leave()));

  const run = async (signal) => {
    runs++;
    await ended(signal);
  };
  const tasks = [1, 2].map((value) => kv.leaderTask("a", run, { value }));
  for await (const leader of kv.election("a").observe()) {
    if (leader === null) continue;
    const task = tasks.find(({ token }) => token === leader.token);
    if (task !== undefined) await task.stop();
    if (runs === 2) break;
  }
  await Promise.all(tasks.map((task) => task.stop()));

  const entry = await kv.get("rounds");
  const left = await kv.range({ prefix: "lock/", only: "keys" });
  return {
    rounds: entry.value,
    locked,
    permits: most,
    taken,
    counter: await kv.counter("a").add(),
    runs,
    left: left.count,
  };
}

async function tell() {
  const cluster = await Cluster.open({ name: "recipes", nodes: 3 });
  try {
    return await story(cluster);
  } finally {
    await cluster.close();
  }
}

tell().then(
  (told) => {
    globalThis.outcome = { told };
  },
  (error) => {
    globalThis.outcome = { error: `${error.stack}` };
  },
);
