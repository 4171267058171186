/** The worker of a node of `Cluster.open` in a browser. */

import { Host, initSync, setPanicHandler } from "../../wasm/quorate_wasm.js";
import { type DedicatedScope, serve } from "../dedicated.js";

serve(globalThis as unknown as DedicatedScope, { Host, initSync, setPanicHandler });
