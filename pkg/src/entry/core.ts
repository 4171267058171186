/** The core of `quorate` in an owner's thread. */

import { Client, initSync, setPanicHandler } from "../../wasm/quorate_wasm.js";
import { Core } from "../core.js";

export const core = /* @__PURE__ */ new Core({ Client, initSync, setPanicHandler });
