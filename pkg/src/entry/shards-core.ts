/** The core of `quorate/shards` in an owner's thread. */

import {
  Client,
  initSync,
  ShardedClient,
  setPanicHandler,
} from "../../wasm/shards/quorate_wasm.js";
import { coreOf } from "../core.js";
import type { ShardedGlue } from "../shards/calls.js";

export const core = /* @__PURE__ */ coreOf<ShardedGlue>({
  Client,
  initSync,
  setPanicHandler,
  ShardedClient,
});
