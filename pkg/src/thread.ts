/** A node's worker on Node: a thread with its state in a directory. */

import { parentPort } from "node:worker_threads";
import type { ToWorker } from "./protocol.js";
import { directoryStorage } from "./storage/directory.js";
import type { SegmentCodec } from "./storage/segments.js";
import { runWorker, type WorkerGlue } from "./worker-main.js";

/** Serves the owner of this thread. */
export function runThread(glue: WorkerGlue & SegmentCodec): void {
  const port = parentPort;
  if (port === null) throw new Error("this module runs as the worker of a node: new Worker(…)");
  const receive = runWorker({
    glue,
    post: (message) => port.postMessage(message),
    directory: (path) => directoryStorage(path, glue),
  });
  port.on("message", (message: ToWorker) => receive(message));
}
