/** The worker for tasks in a browser, of `quorate/mapreduce`. */

import { carrierOf } from "../mapreduce/carriers.js";
import type { FromTasks, ToTasks } from "../mapreduce/protocol.js";
import { browserScratch } from "../mapreduce/scratch-browser.js";
import { readCommon } from "../mapreduce/source.js";
import { serveTasks } from "../mapreduce/tasks.js";
import { engine, initSync } from "./mapreduce-core.js";

const scope = globalThis as unknown as {
  postMessage(message: FromTasks): void;
  onmessage: (event: MessageEvent<ToTasks>) => void;
};
const receive = serveTasks(
  {
    post: (message) => scope.postMessage(message),
    load: (engine) => void initSync({ module: engine }),
    openScratch: async (place) => {
      if (place.kind !== "browser") throw new Error("there are no directories here");
      return browserScratch(place.name);
    },
    readSource: readCommon,
  },
  carrierOf(engine),
);
scope.onmessage = ({ data }) => receive(data);
