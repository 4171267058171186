// A cluster on Node, in a directory of its own, whose workers tell how long their turns were.

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { MessageChannel, Worker } from "node:worker_threads";
import { Cluster } from "quorate";

import { at } from "../../../scripts/lib/run.mjs";

/** Runs `work(directory)` beside the build, on a disk: the system's folder for temporary files may be memory. */
export async function inDirectory(work) {
  const directory = mkdtempSync(join(at("target"), "bench-"));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A cluster of that name in `directory`, and `ask`, which tells what a node's worker has noted since it was last asked. */
export async function openObserved(directory, name) {
  const ports = new Map();
  const createWorker = (node) => {
    const { port1, port2 } = new MessageChannel();
    port1.unref();
    ports.set(node, port1);
    const workerData = port2;
    return new Worker(new URL("worker.mjs", import.meta.url), {
      workerData,
      transferList: [port2],
    });
  };
  const cluster = await Cluster.open({
    name,
    directory: join(directory, name),
    deadline: 120_000,
    trace: true,
    createWorker,
  });
  const ask = (node) =>
    new Promise((resolve) => {
      const port = ports.get(node);
      port.once("message", resolve);
      port.postMessage(undefined);
    });
  return { cluster, ask };
}

/** Puts values of `size` bytes under `count` keys from `from` on, `share` of them in one transaction. */
export async function fill(kv, from, count, size, share = Math.min(128, (1 << 20) / size)) {
  const value = new Uint8Array(size).fill(7);
  let next = from;
  const worker = async () => {
    while (next < from + count) {
      const first = next;
      next = Math.min(first + share, from + count);
      const puts = Array.from({ length: next - first }, (_, at) => ({
        put: key(first + at),
        value,
      }));
      await kv.txn({ do: puts });
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}

export const key = (number) => `key/${number}`;

/** Resolves when `holds` does, asked every `ms`; how many milliseconds that took. */
export async function until(holds, ms = 5) {
  const began = performance.now();
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, ms));
  return performance.now() - began;
}
