/** Node, with the files of `quorate`. */

import { scanSegment } from "../../wasm/quorate_wasm.js";
import type { Platform } from "../platform.js";
import { core } from "./core.js";
import { nodePlatform } from "./platform-node.js";

export const platform: Platform = /* @__PURE__ */ nodePlatform({
  core,
  scanSegment,
  wasm: new URL("./quorate.wasm", import.meta.url),
  worker: new URL("./worker-node.js", import.meta.url),
});
