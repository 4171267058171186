// The worker of a node on Node, whose appends to files wait for as long as the test wants.

import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { workerData } from "node:worker_threads";

/** Two flags: appends are to wait, and one does. */
const gate = workerData;
const handle = await open(fileURLToPath(import.meta.url));
const prototype = Object.getPrototypeOf(handle);
await handle.close();
const { write } = prototype;
prototype.write = async function (...args) {
  while (Atomics.load(gate, 0) === 1) {
    Atomics.store(gate, 1, 1);
    await new Promise((next) => setTimeout(next, 5));
  }
  return write.apply(this, args);
};
await import("quorate/worker");
