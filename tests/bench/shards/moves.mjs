// How long a shard of some size takes to another group, and how long its writes wait meanwhile.

import { join } from "node:path";
import { ShardedCluster } from "quorate/shards";
import { inDirectory } from "../growth/observed.mjs";
import { sleep } from "../life/steps.mjs";
import { medians, percentile } from "../table.mjs";

/** Of what the shard consists. */
const VALUE_BYTES = 16 << 10;
const AT_ONCE = 64;
/** A write begins so often, whether or not the one before is answered. */
export const TRICKLE_MS = 5;
const timeout = 60_000;

/** One row for each size in bytes: the medians of so many moves, there and back, each after `ms` without one. */
export function measureMoves(sizes, often, ms) {
  return inDirectory(async (directory) => {
    const rows = [];
    for (const bytes of sizes) {
      const options = { name: "bench", directory: join(directory, `${bytes}`), groups: 2 };
      const store = await ShardedCluster.open({ ...options, deadline: timeout });
      try {
        const runs = await moveOften(store, bytes, often, ms);
        const longest = Math.max(...runs.map(({ slowest }) => slowest));
        rows.push({ bytes, moves: often, ...medians(runs), longest });
      } finally {
        await store.close();
      }
    }
    return rows;
  });
}

async function moveOften(store, bytes, often, ms) {
  const { kv, shards, groups } = store;
  await fill(kv.as("bytes"), bytes);
  const shard = shards.of("{bench}");
  const trickle = startTrickle(kv);
  try {
    const runs = [];
    // The first pays for what all need.
    for (let time = 0; time <= often; time++) {
      const usual = performance.now();
      await sleep(ms);
      const quiet = await trickle.latencies(usual, performance.now());
      const from = shards.list()[shard];
      const { id: to } = groups.list().find(({ id }) => id !== from);
      const began = performance.now();
      await shards.move(shard, to, { timeout });
      const ended = performance.now();
      const during = await trickle.latencies(began, ended);
      // The giver removes what it had.
      await sleep(ms);
      if (time === 0) continue;
      runs.push({
        moveMs: ended - began,
        msPerMiB: (ended - began) / (bytes / (1 << 20)),
        slowest: Math.max(...during),
        during: percentile(during, 0.5),
        usual: percentile(quiet, 0.5),
        usualSlowest: Math.max(...quiet),
      });
    }
    return runs;
  } finally {
    await trickle.stop();
  }
}

/** Fills one shard, which has the tag. */
async function fill(kv, bytes) {
  const value = new Uint8Array(VALUE_BYTES).fill(7);
  const put = (number) => kv.put(`{bench}/${number}`, value, { timeout });
  for (let first = 0; first < bytes / VALUE_BYTES; first += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => put(first + at)));
}

/** A put to the shard every few milliseconds, whether or not the one before is answered. */
function startTrickle(kv) {
  const puts = [];
  const put = async () => {
    const began = performance.now();
    await kv.put("{bench}/trickle", began, { timeout });
    return { began, latency: performance.now() - began };
  };
  const timer = setInterval(() => {
    const one = put();
    // Whoever asks for the latencies hears of it.
    one.catch(() => {});
    puts.push(one);
  }, TRICKLE_MS);
  return {
    /** How long those took that were under way at any moment from `from` to `to`; waits for them. */
    latencies: async (from, to) => {
      const all = await Promise.all(puts);
      const met = all.filter(({ began, latency }) => began <= to && began + latency >= from);
      return met.map(({ latency }) => latency);
    },
    stop: async () => {
      clearInterval(timer);
      await Promise.allSettled(puts);
    },
  };
}
