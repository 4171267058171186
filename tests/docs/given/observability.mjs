import assert from "node:assert/strict";
import * as quorate from "quorate";

export const Cluster = quorate.Cluster;
export const cluster = await Cluster.open({ name: "given", nodes: 3, storage: "memory" });
await cluster.kv.put("a", 1);

export async function done(at, { totals, node }) {
  if (at === 1) {
    assert.ok(totals.committed > 0);
    assert.ok(node.messages.sent.append >= 0);
  }
  if (at === 2) {
    const told = await (await fetch("http://127.0.0.1:9464")).text();
    assert.match(told, /^quorate_up\{.*service="shop".*\} 1$/m);
  }
}
