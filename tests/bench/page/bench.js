// What ports and IndexedDB take by themselves, then a cluster of the package.

import { pace, pressCluster, sizes } from "./load.mjs";
import { Cluster } from "./quorate/auto.js";
import { pressStore } from "./store.mjs";

export async function measure(ms, durability) {
  const limits = [];
  for (const size of sizes) {
    limits.push({
      size,
      port: await portRoundTrip(size, ms / 4),
      durable: await transactions(1, durability, size, ms / 4),
      three: await transactions(3, durability, size, ms / 4),
    });
  }
  const cluster = await Cluster.open({ name: `bench-${durability}`, nodes: 3, durability });
  try {
    return { limits, ...(await pressCluster(cluster, ms)), ...(await pressStore(cluster, ms)) };
  } finally {
    await cluster.close();
  }
}

/** Milliseconds to a worker and back, the buffer transferred. */
async function portRoundTrip(size, ms) {
  const worker = new Worker(new URL("./echo.js", import.meta.url));
  let buffer = new ArrayBuffer(size);
  const trip = () =>
    new Promise((resolve) => {
      worker.onmessage = ({ data }) => {
        buffer = data;
        resolve();
      };
      worker.postMessage(buffer, [buffer]);
    });
  const median = await pace(trip, ms);
  worker.terminate();
  return median;
}

/** Milliseconds for transactions with one put each, in so many databases at once, until the last is done. */
async function transactions(databases, durability, size, ms) {
  const names = Array.from({ length: databases }, (_, at) => `limit-${size}-${at}`);
  const open = await Promise.all(names.map(openDatabase));
  const bytes = new Uint8Array(size);
  let key = 0;
  const write = (database) =>
    new Promise((resolve, reject) => {
      const transaction = database.transaction("records", "readwrite", { durability });
      transaction.objectStore("records").put(bytes, String(key++ % 100));
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      transaction.commit();
    });
  const median = await pace(() => Promise.all(open.map(write)), ms);
  for (const database of open) database.close();
  for (const name of names) indexedDB.deleteDatabase(name);
  return median;
}

function openDatabase(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name);
    request.onupgradeneeded = () => request.result.createObjectStore("records");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
