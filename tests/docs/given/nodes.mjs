import assert from "node:assert/strict";
import { broadcastChannel, messagePort, Node } from "quorate";

const place = Number(process.argv[2]);
/** The third block is tests, which go on by themselves. */
export const stay = place === 3;

const [to1, to3, between] = [0, 1, 2].map(() => new MessageChannel());
export const portToNode1 = to1.port1;
export const portToNode3 = to3.port1;

const nodes = [];
if (place === 1) {
  const memory = { cluster: "shop", storage: "memory" };
  const ports1 = messagePort({ 2: to1.port2, 3: between.port1 });
  nodes.push(await Node.open({ ...memory, id: 1, found: true, transport: ports1 }));
  const ports3 = messagePort({ 1: between.port2, 2: to3.port2 });
  nodes.push(await Node.open({ ...memory, id: 3, transport: ports3 }));
}

export const mine = () => broadcastChannel();

/** Where storages in memory are kept. */
export const emptyPlace = () => new Map();

/** A storage in memory; whoever loads it fences who loaded it before. */
export function myStorage(place, cluster, node) {
  const name = `${cluster}/${node}`;
  const own = place.get(name) ?? { records: new Map(), epoch: 0 };
  place.set(name, own);
  let epoch;
  return {
    load: async () => {
      epoch = own.epoch += 1;
      return [...own.records].map(([key, value]) => [key, value.slice()]);
    },
    write: async (deletes, puts) => {
      if (own.epoch !== epoch)
        throw Object.assign(new Error("another one opened it"), { code: "STORAGE_FENCED" });
      for (const key of [...own.records.keys()])
        if (deletes.some(([first, end]) => key >= first && key < end)) own.records.delete(key);
      for (const [key, value] of puts) own.records.set(key, value.slice());
    },
    close: async () => {},
  };
}

export async function done(at) {
  if (at !== 1) return;
  const [one] = nodes;
  assert.deepEqual((await one.kv.get("cart/42")).value, { items: 3 });
}
