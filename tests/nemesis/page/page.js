// The arena in a page: `globalThis.arena`, which the driver asks from outside. With `?empty` a storage vanishes by being emptied.

import { Cluster } from "../quorate/auto.js";
import { arenaOf } from "../run.mjs";

const ended = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const remove = (place) => ended(indexedDB.deleteDatabase(place));

async function empty(place) {
  const database = await ended(indexedDB.open(place));
  const [store] = database.objectStoreNames;
  await ended(database.transaction(store, "readwrite").objectStore(store).clear());
  database.close();
}

const evict = location.search === "?empty" ? empty : remove;

const host = {
  open: (options) => Cluster.open(options),
  createWorker: () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" }),
  evict: (cluster, node) => evict(`quorate/${cluster}/${node}`),
};

globalThis.arena = arenaOf(host);
