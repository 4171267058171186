import assert from "node:assert/strict";
import { Cluster } from "quorate";

const cluster = await Cluster.open({ name: "given", nodes: 1, storage: "memory" });
export const kv = cluster.kv;
export const lease = await kv.lease({ ttl: 10_000 });
export const { signal } = new AbortController();
await kv.put("from", 10);
await kv.put("lock/1", 1);

export const enough = new Error("enough");
let shown;
export function show(...what) {
  shown = what;
  throw enough;
}
let stops = 0;
export function stop() {
  stops += 1;
}

// Somebody writes all the time, so that a watch hears something after it has begun.
void (async () => {
  for (;;) await kv.put("cart/1", 1);
})();

export async function done(place, { succeeded, results }) {
  if (place === 1) {
    assert.equal(succeeded, true);
    assert.equal(results.length, 3);
    const { value, lease: hangs } = await kv.get("to");
    assert.deepEqual([value, hangs, (await kv.get("from")).value], [7, lease.id, 3]);
  }
  if (place === 2) assert.deepEqual(shown, ["cart/1", 1]);
  if (place === 3) assert.deepEqual([stops, await kv.get("workers/7")], [1, null]);
}
