// The arena in a page: `globalThis.arena`, which the driver asks from outside.

import { Cluster } from "../quorate/auto.js";
import { arenaOf } from "../run.mjs";

const host = {
  open: (options) => Cluster.open(options),
  createWorker: () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" }),
  evict: (cluster, node) =>
    new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase(`quorate/${cluster}/${node}`);
      request.onsuccess = () => resolve();
      request.onerror = () => reject(request.error);
    }),
};

globalThis.arena = arenaOf(host);
