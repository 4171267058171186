// Three threads on Node with their state on disk, and what this machine's ports and disk take by themselves.

import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Cluster } from "quorate";
import { at } from "../../scripts/lib/run.mjs";
import { pace, pressCluster, sizes } from "./load.mjs";

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
        durable: await durableWrite(directory, size, ms / 4),
      });
    }
    const cluster = await Cluster.open({ name: "bench", directory: join(directory, "cluster") });
    try {
      return { limits, cells: await pressCluster(cluster, ms) };
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

/** Milliseconds for one append that is durable. */
async function durableWrite(directory, size, ms) {
  const file = await open(join(directory, `append-${size}`), "a");
  const bytes = new Uint8Array(size);
  const median = await pace(async () => {
    await file.write(bytes);
    await file.datasync();
  }, ms);
  await file.close();
  return median;
}
