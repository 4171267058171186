/** The worker of a node on Node: a thread with its state in a directory. */

import { parentPort } from "node:worker_threads";
import { scanSegment, sealRound } from "../../wasm/quorate_wasm.js";
import type { ToWorker } from "../protocol.js";
import { directoryStorage } from "../storage/directory.js";
import { runWorker } from "../worker-main.js";

const port = parentPort;
if (port === null) throw new Error("this module runs as the worker of a node: new Worker(…)");

const receive = runWorker({
  post: (message) => port.postMessage(message),
  directory: (path) => directoryStorage(path, { sealRound, scanSegment }),
});
port.on("message", (message: ToWorker) => receive(message));
