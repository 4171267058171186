// Puts and reads at stores of different numbers of keys, in turns, and what the process has in memory for each.

import { press } from "../load.mjs";
import { medians } from "../table.mjs";
import { fill, inDirectory, key, openObserved } from "./observed.mjs";

const SIZE = 16;
const IN_FLIGHT = 256;

/** One row for each number of keys. */
export function measureKeys(numbers, ms, repeat) {
  return inDirectory(async (directory) => {
    const stores = [];
    for (const keys of numbers) stores.push(await filled(directory, keys));
    // An engine compiles what is hot once more, and a snapshot of the filling may be under way.
    for (const store of stores) await pressKeys(store, ms);
    for (let turn = 0; turn < repeat; turn++) {
      for (const store of stores) store.runs.push(await pressKeys(store, ms));
    }
    for (const { cluster } of stores) await cluster.close();
    return stores.map(({ keys, rssBytes, fillMs, runs }) => ({
      keys,
      rssBytes,
      fillMs,
      ...medians(runs),
    }));
  });
}

async function filled(directory, keys) {
  const before = process.memoryUsage.rss();
  const { cluster } = await openObserved(directory, `keys-${keys}`);
  const kv = cluster.kv.as("bytes");
  const began = performance.now();
  await fill(kv, 0, keys, SIZE);
  const fillMs = performance.now() - began;
  const rssBytes = process.memoryUsage.rss() - before;
  return { keys, cluster, kv, fillMs, rssBytes, runs: [] };
}

async function pressKeys({ kv, keys }, ms) {
  const value = new Uint8Array(SIZE).fill(8);
  // All over the store: no number of keys has this factor.
  const at = (number) => key((number * 7919) % keys);
  const put = await measure((number) => kv.put(at(number), value), ms);
  const get = await measure((number) => kv.get(at(number)), ms);
  return {
    putsPerSecond: put.perSecond,
    putMicros: put.micros,
    getsPerSecond: get.perSecond,
    getMicros: get.micros,
  };
}

/** Calls in a second, and what all threads had of the processor for each. */
async function measure(call, ms) {
  const before = process.cpuUsage();
  const { perSecond, count } = await press(call, IN_FLIGHT, ms);
  const { user, system } = process.cpuUsage(before);
  return { perSecond, micros: (user + system) / count };
}
