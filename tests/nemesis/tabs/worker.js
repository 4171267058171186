// The worker of a tab's node, which the nemesis can stop.

import "../quorate/worker.js";
import { obey } from "../stop.mjs";

self.addEventListener("message", ({ data: { type, port } }) => {
  if (type === "nemesis") obey(port);
});
