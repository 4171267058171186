/** What `quorate/shards` has beside `ShardedCluster`: its types, and those of `quorate` that they rest on. */

export { CallError, QuorateError, UnknownOutcomeError } from "../errors.js";
export type * from "../kv/types.js";
export type * from "../recipes/types.js";
export type {
  AnyNode,
  CallOptions,
  Key,
  LinkRule,
  Network,
  NodeState,
  NodeStatus,
  Role,
} from "../types.js";
export type * from "./types.js";
