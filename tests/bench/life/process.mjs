// A cluster's life on Node, in a process of its own:  node process.mjs DIRECTORY STEP [WORDS], with the words as JSON.

import { Worker } from "node:worker_threads";
import { Cluster } from "quorate";
import * as steps from "./steps.mjs";

const [directory, step, ...words] = process.argv.slice(2);
const open = () => Cluster.open({ name: "bench", directory });

/** Processor time of three nodes at rest. */
async function rest(settleMs, ms) {
  const cluster = await steps.rest(open, settleMs);
  const part = await coresUsed(ms);
  await cluster.close();
  return part;
}

/** The same of three threads that do nothing but say so much as often as nodes at rest do: one to two others, and they answer. */
async function beats(settleMs, ms) {
  const threads = Array.from({ length: 3 }, () => new Worker(beating, { eval: true }));
  for (const thread of threads.slice(1)) {
    const { port1, port2 } = new MessageChannel();
    threads[0].postMessage({ port: port1, every: steps.HEARTBEAT_MS }, [port1]);
    thread.postMessage({ port: port2 }, [port2]);
  }
  await steps.sleep(settleMs);
  const part = await coresUsed(ms);
  await Promise.all(threads.map((thread) => thread.terminate()));
  return part;
}

const beating = `
const { parentPort } = require("node:worker_threads");
const frame = () => new Uint8Array(32);
parentPort.on("message", ({ port, every }) => {
  if (every === undefined) port.on("message", () => port.postMessage(frame()));
  else port.on("message", () => {}), setInterval(() => port.postMessage(frame()), every);
});`;

/** Processor time of this process with all its threads in the next `ms`, as part of one core. */
async function coresUsed(ms) {
  const began = performance.now();
  const before = process.cpuUsage();
  await steps.sleep(ms);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / (performance.now() - began);
}

const perform = {
  start: (origin) => steps.start(open, origin),
  failOver: (kind, times) => steps.failOver(open, kind, times),
  rest,
  beats,
};
console.log(JSON.stringify(await perform[step](...words.map((word) => JSON.parse(word)))));
