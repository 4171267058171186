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
export type * from "./recipes/types.js";
export type { KeyRange, Storage, StorageFactory, StoredRecord } from "./storage/storage.js";
export { broadcastChannel } from "./transport/broadcast-channel.js";
export {
  type FramePort,
  type MessagePortTransport,
  messagePort,
} from "./transport/message-port.js";
export { sharedWorker } from "./transport/shared-worker.js";
export type { Transport, TransportLink, TransportNode } from "./transport/transport.js";
export type * from "./types.js";
