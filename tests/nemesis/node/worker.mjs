// The worker of a node on Node, which the nemesis can stop.

import { parentPort } from "node:worker_threads";
import "quorate/worker";
import { obey } from "../stop.mjs";

parentPort.on("message", ({ type, port }) => {
  if (type === "nemesis") obey(port);
});
