/** `quorate/shards` in browsers: files beside this one by their URLs. */

import { shardedFactory } from "../shards/open.js";
import type {
  ShardedClusterFactory,
  ShardedCluster as ShardedClusterInstance,
} from "../shards/types.js";
import { browserPlatform } from "./browser.js";
import { compile, fetchBytes } from "./module.js";
import { core } from "./shards-core.js";

export * from "../shards/surface.js";

const platform = /* @__PURE__ */ browserPlatform(core, {
  module: () => compile(new URL("./quorate-shards.wasm", import.meta.url), fetchBytes),
  worker: () => new Worker(new URL("./shards-worker.js", import.meta.url), { type: "module" }),
});

export type ShardedCluster = ShardedClusterInstance;
export const ShardedCluster: ShardedClusterFactory = /* @__PURE__ */ shardedFactory(platform);
