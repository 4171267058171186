// What a strict project may write, and below what it may not: each marked line must be an error. Compiled by types.test.mjs
// against the installed package.

import {
  Cluster,
  type Condition,
  type CustomCodec,
  type Json,
  type Lease,
  type Lock,
  type Operation,
  type Queue,
  type Txn,
} from "quorate";

type Cart = { readonly items: number; readonly tags?: readonly string[]; readonly note?: string };

const cluster = await Cluster.open({ name: "shop" });
const { kv } = cluster;
const { signal } = new AbortController();
const cart: Cart = { items: 1, tags: ["a"] };

await kv.put("a", cart);
const items: number | undefined = (await kv.get<Cart>("a"))?.value.items;
const text = new TextEncoder();
const codec: CustomCodec<Date> = {
  encode: (date) => text.encode(date.toISOString()),
  decode: (bytes) => new Date(new TextDecoder().decode(bytes)),
};
await kv.as(codec).put("a", new Date());
const when: Date | undefined = (await kv.as(codec).get("a"))?.value;
await kv.as("utf8").append("a", "text");
const lease: Lease = await kv.lease({ ttl: 1_000 });
await kv.put("a", 1, { lease, previous: true });
await kv.put("a", 1, { lease: "keep" });
const condition: Condition<Json> = { key: "a", version: 0 };
const operations: Operation<Json>[] = [{ put: "a", value: cart, lease }, { get: "a" }];
const txn: Txn<Json> = { if: [condition, { prefix: "l/", createRevision: 0, is: ">" }] };
const { results } = await kv.txn({
  ...txn,
  do: [...operations, { txn: { do: [{ delete: "b" }] } }],
});
if (results[1]?.type === "get") results[1].entry?.value;
for await (const event of kv.watch<number>({ prefix: "a" }, { previous: true, signal })) {
  if (event.type === "put") event.value.toFixed();
}
await using lock: Lock = await kv.lock("a", { ttl: 1_000, signal });
await kv.as("bytes").txn({ if: [lock.condition] });
const queue: Queue<Cart> = kv.queue<Cart>("a", { capacity: 5 });
await (await queue.claim()).done([{ increment: "n" }]);
void [items, when];

// @ts-expect-error
await kv.put("a", 1, { leas: 1 });
// @ts-expect-error
await kv.put("a", 1, signal);
// @ts-expect-error
await kv.put("a", new Map());
// @ts-expect-error
await kv.put("a", 1n);
// @ts-expect-error
await kv.put("a", undefined);
// @ts-expect-error
await kv.put("a", 1, { lease: cluster.node(1) });
// @ts-expect-error
await kv.put("a", 1, { lease: "Keep" });
// @ts-expect-error
await kv.get("a", { timout: 1 });
// @ts-expect-error
await kv.range({ prefx: "a" });
// @ts-expect-error
await kv.range({ prefix: "a", serializable: true });
// @ts-expect-error
await kv.deleteRange();
// @ts-expect-error
await kv.txn({ than: [] });
// @ts-expect-error
await kv.txn({ do: [{ put: "a" }] });
// @ts-expect-error
await kv.txn({ do: [{ set: "a", value: 1 }] });
// @ts-expect-error
await kv.txn({ do: [{ put: "a", value: 1, get: "b" }] });
// @ts-expect-error
await kv.txn({ do: [{ get: "a", previous: true }] });
// @ts-expect-error
await kv.txn({ if: [{ key: "a" }] });
// @ts-expect-error
await kv.txn({ if: [{ key: "a", version: 0, lease: 1 }] });
// @ts-expect-error
await kv.txn({ if: [{ key: "a", prefix: "b", version: 0 }] });
// @ts-expect-error
await kv.txn({ if: [{ key: "a", version: 0, is: "==" }] });
// @ts-expect-error
kv.watch("a", { form: 1 });
// @ts-expect-error
kv.watch({ prefix: "a", limit: 1 });
// @ts-expect-error
await kv.lease({ ttl: 1, keepalive: false });
// @ts-expect-error
kv.as({ encode: (value: number) => new Uint8Array(value) });
// @ts-expect-error
await kv.as("utf8").put("a", 1);
// @ts-expect-error
await kv.lock("a", { tll: 1 });
// @ts-expect-error
await kv.queue<string>("a").enqueue(1);
// @ts-expect-error
kv.leaderTask("a", () => {}, { pause: { last: 1 } });
// @ts-expect-error
kv.semaphore("a");
// @ts-expect-error
cluster.node(1).kv.put("a", 1);
// @ts-expect-error
await kv.compareAndSwap("a", 1);
