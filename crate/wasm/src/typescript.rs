//! The shapes of what crosses, for TypeScript. Kept beside the Rust that reads and writes them.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(typescript_custom_section)]
const SHAPES: &str = r#"
/** A `MessagePort` of a browser or of Node, or anything that behaves like one. */
export interface Port {
  postMessage(frame: ArrayBuffer, transfer: ArrayBuffer[]): void;
  onmessage: unknown;
  onmessageerror?: unknown;
  start?(): void;
  close?(): void;
}

/** An ordered map from string keys to bytes, written in atomic rounds. */
export interface JsStorage {
  /** Every record, in any order. */
  load(): Promise<[key: string, value: Uint8Array][]>;
  /** Half-open key ranges are deleted first. Resolves when all of it is durable; rejects when nothing is, or nobody knows. */
  write(deletes: [from: string, to: string][], puts: [key: string, value: Uint8Array][]): Promise<void>;
  close(): Promise<void>;
}

/** A state machine in JavaScript. */
export interface MachineObject {
  /** 0: apply a command, 1: answer a query, 2: give a snapshot, 3: restore one, 4: a tick. Throws, and sets `failure`, if the node cannot go on. */
  call(what: number, bytes: Uint8Array, index: number, term: number, timeMs: number): Uint8Array;
  /** The log time of the next tick; NaN for none. */
  readonly due: number;
  /** Why the node cannot go on. */
  readonly failure: { code: string; message: string } | undefined;
}

/** Is told of everything that happens in a node, in numbers: see `pkg/src/observe/notes.ts`. Must not call back, and must not throw. */
export interface Probe {
  note(what: number, a: number, b: number, c: number, d: number, e: number): void;
}

/** Names of 64 bits are sixteen hexadecimal digits. */
export interface Identity {
  storage: string;
  /** `null`: the node waits for `Host.begin`. */
  cluster: string | null;
  /** Whom the cluster was founded with; none if the node came later. */
  founders: Founder[];
  /** The membership in the log of its first group, and where it stands there. */
  members: Members;
  membersIndex: number;
}

export interface Founder {
  node: number;
  storage: string;
}

export type MemberChange =
  | { change: "addVoter" | "addLearner" | "rebind"; node: number; storage: string }
  | { change: "promote" | "demote" | "remove"; node: number };

export interface HostConfig {
  cluster: string;
  node: number;
  /** The founders, if the caller vouches that none of their storages is ever lost; else see `Host.begin`. */
  voters?: number[];
  groups?: number[];
  storage?: JsStorage;
  /** A state machine in place of the key-value store. */
  machine?: MachineObject;
  probe?: Probe;
  lock?: boolean;
  lockWaitMs?: number;
  openTimeoutMs?: number;
  progressIntervalMs?: number;
  electionTimeoutMs?: number;
  heartbeatIntervalMs?: number;
  /** Whether reads may rest on a lease; the same on all nodes. */
  leaseReads?: boolean;
  /** Whether rounds may be lost in a power cut; the same on all nodes, all in this place, for the storage's whole life. */
  relaxed?: boolean;
  snapshotEntries?: number;
  snapshotBytes?: number;
  keepEntries?: number;
  keepBytes?: number;
  snapshotChunkBytes?: number;
  maxWaiting?: number;
  maxCommandBytes?: number;
  maxSessions?: number;
  sessionTtlMs?: number;
  sessionWindow?: number;
}

export interface LinkRule {
  blocked?: boolean;
  drop?: number;
  delayMs?: number;
  jitterMs?: number;
}

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

export type HostEvent =
  | { type: "role"; group: number; role: Role; term: number; leader: number | null }
  | { type: "progress"; group: number; term: number; commit: number; applied: number; last: number }
  | { type: "membership"; group: number; index: number; members: Members }
  | { type: "restored"; group: number; index: number; term: number }
  | { type: "halted"; group: number | null; code: string; message: string; place?: string }
  | { type: "storageBlocked" };

export interface Members {
  voters: number[];
  /** Voters of the outgoing half; empty unless joint. */
  outgoing: number[];
  learners: number[];
  /** Those of the learners that are to have a vote. */
  joining: number[];
}

export interface GroupStatus {
  group: number;
  role: Role;
  term: number;
  vote: number | null;
  leader: number | null;
  commit: number;
  applied: number;
  lastIndex: number;
  lastTerm: number;
  persisted: number;
  logStart: number;
  snapshotIndex: number;
  snapshotTerm: number;
  members: Members;
  /** Where the membership stands in the log. */
  membersIndex: number;
  /** To whom this leader is handing over. */
  transferring: number | null;
  sessions: number;
  waiting: number;
  parked: number;
  leases: number;
  storeBytes: number;
  logBytes: number;
  halted: boolean;
  /** Whether the group is silent until there is something to do. */
  asleep: boolean;
  revision: number;
  keys: number;
  peers: { id: number; matched: number; next: number; mode: "probe" | "replicate" | "snapshot"; inflight: number; amnesiac: boolean }[];
}

export interface HostStatus {
  cluster: string;
  node: number;
  storageId: string;
  clusterId: string;
  locked: boolean;
  halted: { code: string; message: string } | null;
  groups: GroupStatus[];
  peers: {
    id: number;
    connected: boolean;
    sentFrames: number;
    sentBytes: number;
    receivedFrames: number;
    receivedBytes: number;
    rejectedFrames: number;
    droppedFrames: number;
    delayedFrames: number;
    rule: Required<LinkRule>;
  }[];
  clients: { id: number; receivedFrames: number; sentFrames: number; rejectedFrames: number }[];
  storage: { rounds: number; records: number; bytes: number; writeMs: number; writing: boolean };
}

export interface ClientConfig {
  nodes: number[];
  group?: number;
  /** Who answers reads: the leader, the node that is asked (for one node alone), or a leader under its lease. */
  readAt?: "leader" | "here" | "lease";
  maxPending?: number;
  window?: number;
  attemptTimeoutMs?: number;
  /** As long as nodes let a query wait. */
  parkTimeoutMs?: number;
  backoffMinMs?: number;
  backoffMaxMs?: number;
}

/** Exactly one of the two is called for each call. */
export interface ClientHandler {
  /** What the machine replied. */
  done(call: number, reply: Uint8Array): void;
  failed(call: number, error: QuorateWasmError): void;
}

/** What every throw and rejection of this module is. */
export interface QuorateWasmError extends Error {
  code: string;
  retryable: boolean;
  place?: string;
  outcome?: "notApplied" | "unknown";
  limit?: number;
}

/** Whom a `BareNode` and a `BareClient` give their effects to. It must not call back. */
export interface BareEffects {
  frame(toClient: boolean, to: number, frame: Uint8Array): void;
  write(seq: number, deletes: [from: string, to: string][], puts: [key: string, value: Uint8Array][]): void;
  event(event: HostEvent): void;
}

/** One record of a segment file. */
export interface SegmentRound {
  sequence: number;
  deletes: [from: string, to: string][];
  puts: [key: string, value: Uint8Array][];
}

export interface SegmentScan {
  rounds: SegmentRound[];
  validBytes: number;
  torn: boolean;
}
"#;

#[cfg(feature = "shards")]
#[wasm_bindgen(typescript_custom_section)]
const SHARDED_SHAPES: &str = r#"
export interface HostConfig {
  /** Whether the groups are those of a sharded store: group 0 is its controller, which says what others there are. Without `groups` and `machine`. */
  sharded?: boolean;
}

export interface GroupStatus {
  /** Of a group that holds shards: the configuration in force there. */
  configuration?: number;
  /** Bytes of all its shards. */
  shardBytes?: number;
  /** Its shards; `other` gets one that is leaving or frozen, and gives one that is arriving. `calls` are those that clients made here since the start. */
  shards?: { shard: number; stands: "serving" | "leaving" | "frozen" | "arriving"; other: number | null; calls: number }[];
}

export interface HostStatus {
  /** The shards that arrive in groups that are led here: of the copy under way, the bytes that are in the group's log, and those of all of it, once that is known. */
  arriving?: { shard: number; from: number; to: number; step: "waiting" | "copying" | "freezing" | "installing"; staged: number; total: number | null }[];
}

/** As those of a client; `nodes` are those of the controller. */
export interface ShardedClientConfig extends Omit<ClientConfig, "group"> {
  shards: number;
}

export interface ShardConfiguration {
  number: number;
  /** The group of each shard; 0 is none. */
  shards: number[];
  groups: { group: number; weight: number; nodes: number[] }[];
}
"#;
