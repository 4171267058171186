/** The core of `quorate` in an owner's thread. */

import { Client, initSync, setPanicHandler } from "../../wasm/quorate_wasm.js";
import { coreOf } from "../core.js";

export const core = /* @__PURE__ */ coreOf({ Client, initSync, setPanicHandler });
