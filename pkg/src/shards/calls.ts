/** Calls to a sharded store: to the shard of their keys, or to one that is named. */

import type { ShardedClient } from "../../wasm/shards/quorate_wasm.js";
import { type Caller, Calls } from "../calls.js";
import type { Core, Glue } from "../core.js";
import type { Quorum } from "../late.js";
import type { Configuration } from "./types.js";

/** What an owner's thread calls of the WebAssembly here. */
export interface ShardedGlue
  extends Glue,
    Pick<typeof import("../../wasm/shards/quorate_wasm.js"), "ShardedClient"> {}

/** All calls to one store. */
export class ShardedCalls extends Calls<ShardedClient> {
  /** `nodes` are those of the group that makes configurations. */
  constructor(
    core: Core<ShardedGlue>,
    nodes: number[],
    shards: number,
    deadlineMs: number,
    quorum: () => Quorum,
  ) {
    const { ShardedClient } = core.glue;
    super(core, deadlineMs, quorum, (handler) => new ShardedClient({ nodes, shards }, handler));
  }

  /** Calls to one shard alone. */
  to(shard: number): Caller {
    return {
      write: (command, options) => this.write(command, options, shard),
      read: (query, options, from) => this.read(query, options, from, shard),
      onEnd: (hear) => this.onEnd(hear),
    };
  }

  shardOf(key: Uint8Array): number {
    return this.client.shardOf(key);
  }

  /** The shard of all keys of an interval, if they are in one. */
  shardOfRange(start: Uint8Array, end: Uint8Array | undefined): number | undefined {
    return this.client.shardOfRange(start, end);
  }

  /** The newest that was heard of; number 0 before. */
  get configuration(): Configuration {
    const { number, shards, groups } = this.client.configuration();
    return {
      number,
      shards,
      groups: groups.map(({ group, weight, nodes }) => ({ id: group, weight, nodes })),
    };
  }
}
