/** Quorate: a replicated store whose nodes are workers. The public surface, apart from `Cluster` itself. */

export type * from "./backup/types.js";
export {
  ArgumentError,
  BackupError,
  CallError,
  type ErrorCode,
  LoadError,
  MachineError,
  MembershipError,
  NodeError,
  type Outcome,
  QuorateError,
  StorageError,
  StoreError,
  UnknownOutcomeError,
} from "./errors.js";
export type * from "./kv/types.js";
export type * from "./machine/types.js";
export type * from "./observe/types.js";
export type * from "./recipes/types.js";
export type { KeyRange, Storage, StorageFactory, StoredRecord } from "./storage/storage.js";
export type * from "./types.js";
