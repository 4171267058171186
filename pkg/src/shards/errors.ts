/** The codes of a sharded store, beside those of every store. */

import type { CodeRow } from "../errors.js";

/** One row for each code: its class, and whether the same call can succeed later by itself. */
export const SHARD_CODES = {
  CROSS_SHARD: ["argument", false],
  SHARD_COUNT: ["argument", false],
  UNKNOWN_SHARD: ["argument", false],
  CONFIG_COMPACTED: ["store", false],
  FUTURE_CONFIG: ["store", true],
  GROUP_BEHIND: ["member", true],
  GROUP_EXISTS: ["member", false],
  GROUP_LEAVING: ["member", true],
  LAST_GROUP: ["member", false],
  TOO_MANY_GROUPS: ["member", false],
  UNKNOWN_GROUP: ["member", false],
} as const satisfies Record<string, CodeRow>;

export type ShardCode = keyof typeof SHARD_CODES;
