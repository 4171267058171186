// What calls of the store cost beside a put, and what a watch does for a crowd: the same in a browser and on Node.

import { press } from "./load.mjs";

const WATCHERS = 1_000;

/** Calls of 16 bytes other than puts and linearizable gets, by name, alone and 256 at a time; and the crowd. */
export async function pressStore(cluster, ms) {
  const kv = cluster.kv.as("bytes");
  const value = new Uint8Array(16).fill(7);
  const key = (number) => `key/${number % 1000}`;
  const timeout = 60_000;
  for (let number = 0; number < 1000; number++) await kv.put(key(number), value, { timeout });
  const calls = {
    "get, serializable": (number) => kv.get(key(number), { timeout, serializable: true }),
    "range of 100": (number) =>
      kv.range({ start: key(number), limit: 100 }, { timeout, serializable: true }),
    "txn: compare, put, get": (number) =>
      kv.txn(
        {
          if: [{ key: key(number), version: 0, is: ">" }],
          do: [{ put: key(number), value }, { get: key(number + 1) }],
        },
        { timeout },
      ),
  };
  const cells = [];
  for (const [name, call] of Object.entries(calls)) {
    for (const depth of [1, 256]) {
      await press(call, depth, ms / 5);
      cells.push({ name, depth, ...(await press(call, depth, ms)) });
    }
  }
  return { calls: cells, crowd: [await crowd(kv, value, ms)] };
}

/** One writer, a thousand watchers of its key: how long until the last has heard of a put. */
async function crowd(kv, value, ms) {
  const watches = Array.from({ length: WATCHERS }, () => kv.watch("crowd"));
  await Promise.all(watches.map(({ ready }) => ready));
  const heard = () => Promise.all(watches.map((watch) => watch.next()));
  const once = async () => {
    await Promise.all([kv.put("crowd", value, { timeout: 60_000 }), heard()]);
  };
  await press(once, 1, ms / 5);
  const { perSecond, p50, p95, p99 } = await press(once, 1, ms);
  for (const watch of watches) watch.close();
  return { watchers: WATCHERS, events: perSecond * WATCHERS, p50, p95, p99 };
}
