import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Cluster } from "quorate";

export const cluster = await Cluster.open({ name: "given", nodes: 1, storage: "memory" });
export const other = await Cluster.open({ name: "other", nodes: 1, storage: "memory" });
await cluster.kv.put("a", 1);
export function show() {}

export async function done(place, { summary, gzipped }) {
  if (place === 1) assert.equal(readFileSync("shop.backup").subarray(0, 7).toString(), "QUORATE");
  if (place === 2) {
    assert.equal(summary.keys, 1);
    assert.equal((await other.kv.get("a")).value, 1);
    const bytes = new Uint8Array(await new Response(gzipped).arrayBuffer());
    assert.deepEqual([...bytes.subarray(0, 2)], [0x1f, 0x8b]);
  }
}
