/** What `quorate/mapreduce` has beside `MapReduceCluster`: its types, and those of `quorate` that they rest on. */

export { CallError, QuorateError, UnknownOutcomeError } from "../errors.js";
export type { Json, Kv } from "../kv/types.js";
export type { AnyNode, CallOptions, Network, NodeState, NodeStatus, Role } from "../types.js";
export { JobError } from "./errors.js";
export type * from "./types.js";
