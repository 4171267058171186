// Three threads on Node with their state on disk, and what this machine's ports and disk take by themselves.

import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Cluster } from "quorate";
import { at } from "../../scripts/lib/run.mjs";
import { pace, pressCluster, sizes } from "./load.mjs";
import { pressStore } from "./store.mjs";

const echo = `
const { parentPort } = require("node:worker_threads");
parentPort.on("message", (data) => parentPort.postMessage(data, [data]));`;

/** One run: the limits, then all cells. */
export async function measureNode(ms) {
  // Beside the build, on the disk where a cluster's state would be: the system's folder for temporary files may be memory.
  const directory = mkdtempSync(join(at("target"), "bench-"));
  try {
    const limits = [];
    for (const size of sizes) {
      limits.push({
        size,
        port: await portRoundTrip(size, ms / 4),
        durable: await durableWrites(1, directory, size, ms / 4),
        three: await durableWrites(3, directory, size, ms / 4),
      });
    }
    const cluster = await Cluster.open({ name: "bench", directory: join(directory, "cluster") });
    try {
      return { limits, ...(await pressCluster(cluster, ms)), ...(await pressStore(cluster, ms)) };
    } finally {
      await cluster.close();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Milliseconds to another thread and back, the buffer transferred. */
async function portRoundTrip(size, ms) {
  const worker = new Worker(echo, { eval: true });
  let buffer = new ArrayBuffer(size);
  const trip = () =>
    new Promise((resolve) => {
      worker.once("message", (data) => {
        buffer = data;
        resolve();
      });
      worker.postMessage(buffer, [buffer]);
    });
  const median = await pace(trip, ms);
  await worker.terminate();
  return median;
}

/** Milliseconds for appends that are durable, to so many files at once, until the last is done. */
export async function durableWrites(files, directory, size, ms) {
  const paths = Array.from({ length: files }, (_, at) => join(directory, `append-${size}-${at}`));
  const handles = await Promise.all(paths.map((path) => open(path, "a")));
  const bytes = new Uint8Array(size);
  const write = async (handle) => {
    await handle.write(bytes);
    await handle.datasync();
  };
  const median = await pace(() => Promise.all(handles.map(write)), ms);
  for (const handle of handles) await handle.close();
  return median;
}
