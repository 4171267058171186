import assert from "node:assert/strict";
import { Cluster } from "quorate";

const cluster = await Cluster.open({ name: "given", nodes: 1, storage: "memory" });
export const kv = cluster.kv;
await kv.put("cart/1", 1);

export const enough = new Error("enough");
let shown;
export function show(event) {
  shown = event;
  throw enough;
}

void (async () => {
  for (;;) await kv.put("cart/2", 2);
})();

export function done() {
  assert.deepEqual([shown.type, shown.key, shown.value], ["put", "cart/2", 2]);
}
