/** What `ShardedCluster.open` was given, checked and completed. */

import { integer, invalid, number, record } from "../check.js";
import { ArgumentError } from "../errors.js";
import type { DebugHome } from "../observe/observation.js";
import { readOptions, type Settings } from "../options.js";
import type { ShardedClusterOptions } from "./types.js";

export interface ShardedSettings {
  /** Of the nodes, and of the group that makes configurations. */
  readonly cluster: Settings;
  readonly groups: number;
  /** As the caller says, if so. */
  readonly shards: number | undefined;
  readonly replicas: number;
  readonly rebalance: Rebalance | undefined;
}

export interface Rebalance {
  readonly intervalMs: number;
  readonly gain: number;
  readonly minRate: number;
}

/** What there is where nobody says how many. */
export const DEFAULT_SHARDS = 64;

/** Checks everything before anything is started. */
export function readSharded(
  options: ShardedClusterOptions,
  platform: { readonly storage: "indexeddb" | "directory" } & DebugHome,
): ShardedSettings {
  try {
    record(options, "the argument", FIELDS);
    const { groups = 2, shards, replicas, rebalance = false, ...rest } = options;
    const cluster = { ...readOptions(rest, platform), sharded: true };
    return {
      cluster,
      groups: integer(groups, '"groups"', 1, 1_024),
      shards: shards === undefined ? undefined : integer(shards, '"shards"', 1, 4_096),
      replicas: integer(
        replicas ?? Math.min(3, cluster.size),
        '"replicas"',
        1,
        Math.max(1, cluster.size),
      ),
      rebalance: rebalanceOf(rebalance),
    };
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    const message = error.message.replace(/^Cluster\.open: /, "");
    throw new ArgumentError("INVALID_OPTION", `ShardedCluster.open: ${message}`);
  }
}

function rebalanceOf(given: ShardedClusterOptions["rebalance"]): Rebalance | undefined {
  if (given === false) return undefined;
  const options = given === true ? {} : given;
  if (typeof options !== "object") throw invalid('"rebalance" is true, false or its options');
  record(options, '"rebalance"', ["interval", "gain", "minRate"]);
  const { interval = 5_000, gain = 0.1, minRate = 100 } = options;
  return {
    intervalMs: integer(interval, '"rebalance.interval"', 100, 3_600_000),
    gain: number(gain, '"rebalance.gain"', Number.MIN_VALUE, 1),
    minRate: number(minRate, '"rebalance.minRate"', 0, Number.MAX_SAFE_INTEGER),
  };
}

const FIELDS: readonly string[] = [
  "name",
  "nodes",
  "groups",
  "shards",
  "replicas",
  "rebalance",
  "storage",
  "directory",
  "timeouts",
  "deadline",
  "snapshotEntries",
  "debug",
  "signal",
  "wasm",
  "createWorker",
] satisfies (keyof ShardedClusterOptions)[];
