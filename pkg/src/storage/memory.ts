/** Storage in memory: survives the node, but not the thread that made it. For tests and for trying things out. */

import { quorateError } from "../errors.js";
import type { Storage, StorageFactory, StoredRecord } from "./storage.js";

/** A factory whose storages keep their records from one start of a node to the next. */
export function memory(): StorageFactory {
  const nodes = new Map<string, Place>();
  return (cluster, node) => {
    const name = `${cluster}/${node}`;
    const place = nodes.get(name) ?? { records: new Map<string, Uint8Array>(), epoch: 0 };
    nodes.set(name, place);
    return storageOn(place);
  };
}

interface Place {
  readonly records: Map<string, Uint8Array>;
  /** Counts who opened it. */
  epoch: number;
}

function storageOn(place: Place): Storage {
  const { records } = place;
  let mine = 0;
  return {
    async load() {
      mine = ++place.epoch;
      return [...records].map(([key, value]) => [key, value.slice()] satisfies StoredRecord);
    },
    async write(deletes, puts) {
      if (mine !== place.epoch)
        throw quorateError("STORAGE_FENCED", "another opener took the storage over");
      for (const [first, end] of deletes) {
        for (const key of records.keys()) if (first <= key && key < end) records.delete(key);
      }
      for (const [key, value] of puts) records.set(key, value.slice());
    },
    async close() {},
  };
}
