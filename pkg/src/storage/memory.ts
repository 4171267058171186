/** Storage in memory: survives the node, but not the thread that made it. For tests and for trying things out. */

import type { Storage, StorageFactory, StoredRecord } from "./storage.js";

/** A factory whose storages keep their records from one start of a node to the next. */
export function memory(): StorageFactory {
  const nodes = new Map<string, Map<string, Uint8Array>>();
  return (cluster, node) => {
    const name = `${cluster}/${node}`;
    const records = nodes.get(name) ?? new Map<string, Uint8Array>();
    nodes.set(name, records);
    return storageOn(records);
  };
}

function storageOn(records: Map<string, Uint8Array>): Storage {
  return {
    async load() {
      return [...records] satisfies StoredRecord[];
    },
    async write(deletes, puts) {
      for (const [first, end] of deletes) {
        for (const key of records.keys()) if (first <= key && key < end) records.delete(key);
      }
      for (const [key, value] of puts) records.set(key, value);
    },
    async close() {},
  };
}
