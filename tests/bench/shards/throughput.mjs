// Puts at stores of different numbers of groups on the same three threads, beside a `Cluster`, in turns.

import { join } from "node:path";
import { Cluster } from "quorate";
import { ShardedCluster } from "quorate/shards";
import { inDirectory } from "../growth/observed.mjs";
import { press } from "../load.mjs";
import { mediansOf } from "../table.mjs";

export const SIZE = 16;
export const IN_FLIGHT = 256;
const KEYS = 1_000;

/** One row for a `Cluster`, then one for each number of groups. */
export function measureThroughput(numbers, ms, repeat) {
  return inDirectory(async (directory) => {
    const turns = [];
    for (let turn = 0; turn < repeat; turn++) {
      const rows = [];
      // Each has the machine for itself, and new storage: a `Cluster` beside it would not sleep.
      for (const groups of [undefined, ...numbers]) {
        const options = { name: "bench", directory: join(directory, `${turn}-${groups}`) };
        const store =
          groups === undefined
            ? await Cluster.open(options)
            : await ShardedCluster.open({ ...options, groups });
        try {
          rows.push({ groups, ...(await pressPuts(store.kv.as("bytes"), ms)) });
        } finally {
          await store.close();
        }
      }
      turns.push(rows);
    }
    return mediansOf(turns);
  });
}

/** Puts in a second, how long one takes, and what all threads had of the processor for each. */
async function pressPuts(kv, ms) {
  const value = new Uint8Array(SIZE).fill(7);
  const put = (number) => kv.put(`key/${number % KEYS}`, value, { timeout: 60_000 });
  await Promise.all(Array.from({ length: KEYS }, (_, number) => put(number)));
  // Workers are new, and engines compile what is hot.
  await press(put, IN_FLIGHT, ms);
  const before = process.cpuUsage();
  const { perSecond, count, p50, p99 } = await press(put, IN_FLIGHT, ms);
  const { user, system } = process.cpuUsage(before);
  return { perSecond, p50, p99, micros: (user + system) / count };
}
