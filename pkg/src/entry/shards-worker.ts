/** The worker of a node in a browser, of `quorate/shards`. */

import { Host, initSync, setPanicHandler } from "../../wasm/shards/quorate_wasm.js";
import { type DedicatedScope, serve } from "../dedicated.js";

serve(globalThis as unknown as DedicatedScope, { Host, initSync, setPanicHandler });
