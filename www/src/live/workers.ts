/** The workers of the page's nodes: the package's, with a tap on each. */

import type { Attach, Order, Report } from "./tap.js";

const ports = new Map<number, MessagePort>();

/** Makes the worker of a node; `hear` gets what its tap tells. */
export function createWorker(node: number, hear: (report: Report) => void): Worker {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), {
    type: "module",
    name: `node ${node}`,
  });
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }: MessageEvent<Report>) => hear(data);
  worker.postMessage({ type: "tap", port: port2 } satisfies Attach, [port2]);
  ports.get(node)?.close();
  ports.set(node, port1);
  return worker;
}

/** Holds the worker of a node for so many milliseconds: it hears and says nothing. */
export function freeze(node: number, ms: number): void {
  ports.get(node)?.postMessage({ type: "freeze", ms } satisfies Order);
}
