/** `ShardedCluster.open`, on any platform. */

import type { Core } from "../core.js";
import { disposable } from "../disposable.js";
import { addCodes } from "../errors.js";
import { open } from "../open.js";
import type { Platform } from "../platform.js";
import type { ShardedGlue } from "./calls.js";
import { LiveShardedCluster } from "./cluster.js";
import { SHARD_CODES } from "./errors.js";
import { readSharded } from "./options.js";
import type { ShardedClusterFactory } from "./types.js";

/** A platform with the WebAssembly of sharded stores. */
export type ShardedPlatform = Platform & { readonly core: Core<ShardedGlue> };

/** `ShardedCluster` on a platform. */
export function shardedFactory(platform: ShardedPlatform): ShardedClusterFactory {
  addCodes(SHARD_CODES);
  disposable(LiveShardedCluster.prototype);
  return {
    open: async (options) => {
      const settings = readSharded(options, platform);
      return open(
        platform,
        settings.cluster,
        (module, unlock) => new LiveShardedCluster(platform, settings, module, unlock),
      );
    },
  };
}
