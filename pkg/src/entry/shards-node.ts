/** `quorate/shards` on Node. */

import { scanSegment } from "../../wasm/shards/quorate_wasm.js";
import { shardedFactory } from "../shards/open.js";
import type {
  ShardedClusterFactory,
  ShardedCluster as ShardedClusterInstance,
} from "../shards/types.js";
import { nodePlatform } from "./platform-node.js";
import { core } from "./shards-core.js";

export * from "../shards/surface.js";

const platform = /* @__PURE__ */ nodePlatform({
  core,
  scanSegment,
  wasm: new URL("./quorate-shards.wasm", import.meta.url),
  worker: new URL("./shards-worker-node.js", import.meta.url),
});

export type ShardedCluster = ShardedClusterInstance;
export const ShardedCluster: ShardedClusterFactory = /* @__PURE__ */ shardedFactory(platform);
