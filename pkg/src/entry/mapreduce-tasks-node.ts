/** The worker for tasks on Node, of `quorate/mapreduce`. */

import { parentPort } from "node:worker_threads";
import { carrierOf } from "../mapreduce/carriers.js";
import type { ToTasks } from "../mapreduce/protocol.js";
import { directoryScratch } from "../mapreduce/scratch-node.js";
import { readOnNode } from "../mapreduce/source-node.js";
import { serveTasks } from "../mapreduce/tasks.js";
import { engine, initSync } from "./mapreduce-core.js";

const port = parentPort;
if (port === null) throw new Error("this module runs as a worker for tasks: new Worker(…)");
const receive = serveTasks(
  {
    post: (message) => port.postMessage(message),
    load: (engine) => void initSync({ module: engine }),
    openScratch: async (place) => {
      if (place.kind !== "directory") throw new Error("there are directories here alone");
      return directoryScratch(place.path);
    },
    readSource: readOnNode,
  },
  carrierOf(engine),
);
port.on("message", (message: ToTasks) => receive(message));
