// Runs in the page: what ports and IndexedDB take by themselves, then a cluster of the package.

import { pace, pressCluster, sizes } from "./load.js";
import { Cluster } from "./quorate/auto.js";

export async function measure(ms) {
  const limits = [];
  for (const size of sizes) {
    limits.push({
      size,
      port: await portRoundTrip(size, ms / 4),
      durable: await strictTransaction(size, ms / 4),
    });
  }
  const cluster = await Cluster.open({ name: "bench", nodes: 3 });
  try {
    return { limits, cells: await pressCluster(cluster, ms) };
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

/** Milliseconds for a strict transaction with one put. */
async function strictTransaction(size, ms) {
  const name = `limit-${size}`;
  const database = await new Promise((resolve, reject) => {
    const request = indexedDB.open(name);
    request.onupgradeneeded = () => request.result.createObjectStore("records");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const bytes = new Uint8Array(size);
  let key = 0;
  const median = await pace(
    () =>
      new Promise((resolve, reject) => {
        const transaction = database.transaction("records", "readwrite", { durability: "strict" });
        transaction.objectStore("records").put(bytes, String(key++ % 100));
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error);
        transaction.commit();
      }),
    ms,
  );
  database.close();
  indexedDB.deleteDatabase(name);
  return median;
}
