/**
 * What an owner and the worker of one node say to each other. One switch on each side reads it: `WorkerNode` in
 * `worker-main.ts`, `Member` in `member.ts`.
 */

import type { PlainError } from "./errors.js";
import type { CoreRule } from "./network.js";
import type { Counts } from "./observe/counts.js";
import type { Orders } from "./observe/observation.js";
import type { DebugEntry } from "./observe/types.js";
import type { Role, TransportStatus } from "./types.js";

/** Where the worker finds its node's records. */
export type WorkerStorage =
  | { readonly kind: "indexeddb" }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "port"; readonly port: MessagePort };

/** How the worker's node reaches nodes of other owners. */
export type WorkerTransport =
  | { readonly kind: "broadcastChannel" }
  | { readonly kind: "port"; readonly port: MessagePort };

/** From the owner. `start` comes first and once. */
export type ToWorker =
  | {
      readonly type: "start";
      /** Bytes for a shared worker: what is compiled cannot be sent to one. */
      readonly module: WebAssembly.Module | BufferSource;
      readonly cluster: string;
      readonly node: number;
      readonly electionMs: number;
      readonly heartbeatMs: number;
      readonly leaseReads: boolean;
      readonly relaxed: boolean;
      readonly storage: WorkerStorage;
      /** The URL of the machine's module; without one it is the key-value store. */
      readonly machine?: string;
      readonly snapshotEntries?: number;
      /** The node is one of a sharded store. */
      readonly sharded?: boolean | undefined;
      /** For a node whose peers belong to others; else the owner connects them. */
      readonly transport?: WorkerTransport;
      /** The node is a tab's: it is chosen by the worker, which looks after those whose tabs are gone. */
      readonly tab?: boolean;
      /** The name of a page that owns a node in a shared worker with others: it holds a lock of that name. */
      readonly owner?: string;
      readonly observe: Orders;
    }
  /** To a node that is `opened` and knows of no cluster: its cluster, and with whom it is founded. */
  | { readonly type: "begin"; readonly cluster: string; readonly founders: readonly Founder[] }
  /** To a leader: `answered` says whether it takes it. */
  | ({ readonly type: "ask"; readonly request: number } & LeaderRequest)
  | {
      readonly type: "peer";
      readonly node: number;
      readonly port: MessagePort;
      readonly rule: CoreRule;
    }
  | { readonly type: "peerGone"; readonly node: number }
  /** A client of the owner's, for a node that another one owns. */
  | {
      readonly type: "far";
      readonly node: number;
      readonly client: number;
      readonly port: MessagePort;
    }
  | { readonly type: "client"; readonly client: number; readonly port: MessagePort }
  | { readonly type: "clientGone"; readonly client: number }
  | { readonly type: "link"; readonly node: number; readonly rule: CoreRule }
  | { readonly type: "status"; readonly request: number }
  | { readonly type: "trace"; readonly on: boolean }
  /** The last lines of the debug log have arrived. */
  | { readonly type: "heard" }
  | { readonly type: "close" };

/** From the worker. */
export type FromWorker =
  /** The code is loaded; `start` may come. */
  | { readonly type: "hello" }
  /** The storage is open. With no cluster, `begin` must come, or others tell. */
  | ({ readonly type: "opened" } & Opened)
  /** The transport is open: others are heard from now on. */
  | { readonly type: "listening" }
  /** The node runs. `founded`: by the owner's `begin`, and not by the word of another node. */
  | { readonly type: "started"; readonly founded: boolean }
  /** The node could not start, or stopped by itself. Nothing follows but `closed`, if it is `closing`. */
  | { readonly type: "halted"; readonly error: PlainError; readonly closing?: boolean }
  | {
      readonly type: "role";
      readonly role: Role;
      readonly term: number;
      readonly leader: number | null;
    }
  | { readonly type: "progress"; readonly term: number; readonly commit: number }
  | { readonly type: "membership"; readonly index: number; readonly members: MembersNow }
  /** A node of another owner can be reached, or no longer. */
  | { readonly type: "peerUp" | "peerDown"; readonly node: number }
  | {
      readonly type: "answered";
      readonly request: number;
      readonly index: number;
      readonly error?: PlainError;
    }
  | {
      readonly type: "status";
      readonly request: number;
      readonly status: HostStatus;
      readonly transport?: TransportStatus;
      readonly counts: Counts;
    }
  /** The debug log: `heard` asks for more. */
  | { readonly type: "debug"; readonly entries: readonly DebugEntry[] }
  /** It has let go of everything. */
  | { readonly type: "closed" };

/** What the host tells. */
export type HostEvent =
  | (Extract<FromWorker, { type: "role" | "progress" | "membership" }> & OfGroup)
  | ({ readonly type: "restored"; readonly index: number } & OfGroup)
  | ({ readonly type: "hosting"; readonly begins: boolean } & OfGroup)
  | { readonly type: "storageBlocked" }
  | {
      readonly type: "halted";
      readonly code: string;
      readonly message: string;
      readonly place?: string;
    };

/** Which of a node's groups something is about. */
interface OfGroup {
  readonly group: number;
}

/** Which node it is, and whose storage. */
export interface Opened extends Identity {
  readonly node: number;
  /** There is no other node of a tab that could know of a cluster: the owner founds it. */
  readonly isFirst: boolean;
}

/** Whose storage it is. Names of 64 bits are sixteen hexadecimal digits. */
export interface Identity {
  /** Drawn when the storage was made. */
  readonly storage: string;
  /** Drawn when the cluster was founded; null as long as the node knows of none. */
  readonly cluster: string | null;
  /** With whom the cluster was founded; none if the node came later. */
  readonly founders: readonly Founder[];
  /** The membership in its log, and where it stands there. */
  readonly members: MembersNow;
  readonly membersIndex: number;
}

export interface Founder {
  readonly node: number;
  readonly storage: string;
}

/** What only a leader can do. */
export type LeaderRequest =
  | { readonly what: "change"; readonly changes: readonly MemberChange[] }
  | { readonly what: "transfer"; readonly to: number };

/** One part of a change. */
export type MemberChange =
  | {
      readonly change: "addVoter" | "addLearner" | "rebind";
      readonly node: number;
      readonly storage: string;
    }
  | { readonly change: "promote" | "demote" | "remove"; readonly node: number };

/** The membership in force. */
export interface MembersNow {
  readonly voters: readonly number[];
  /** Voters of the outgoing half; empty unless two halves decide together. */
  readonly outgoing: readonly number[];
  readonly learners: readonly number[];
  /** Those of the learners that are to have a vote. */
  readonly joining: readonly number[];
}

/** The core's picture of itself, as far as it is passed on. */
export interface HostStatus {
  readonly clusterId: string;
  readonly groups: readonly {
    readonly group: number;
    readonly role: Role;
    readonly term: number;
    readonly vote: number | null;
    readonly leader: number | null;
    readonly commit: number;
    readonly applied: number;
    readonly lastIndex: number;
    readonly lastTerm: number;
    readonly persisted: number;
    readonly logStart: number;
    readonly snapshotIndex: number;
    readonly sessions: number;
    readonly waiting: number;
    readonly parked: number;
    readonly leases: number;
    readonly storeBytes: number;
    readonly logBytes: number;
    readonly revision: number;
    readonly keys: number;
    readonly members: MembersNow;
    readonly membersIndex: number;
    readonly transferring: number | null;
    /** Of a group that has shards: the configuration in force there, bytes of all of them, and each, with its calls so far. */
    readonly configuration?: number;
    readonly shardBytes?: number;
    readonly shards?: readonly {
      readonly shard: number;
      readonly stands: "serving" | "leaving" | "frozen" | "arriving";
      readonly other: number | null;
      readonly calls: number;
    }[];
    readonly peers: readonly {
      readonly id: number;
      readonly matched: number;
      readonly next: number;
      readonly mode: "probe" | "replicate" | "snapshot";
      readonly inflight: number;
      readonly amnesiac: boolean;
    }[];
  }[];
  /** Of a sharded store: the shards that arrive in groups that are led there. */
  readonly arriving?: readonly {
    readonly shard: number;
    readonly from: number;
    readonly to: number;
    readonly step: "waiting" | "copying" | "freezing" | "installing";
    readonly staged: number;
    readonly total: number | null;
  }[];
  readonly peers: readonly {
    readonly id: number;
    readonly sentFrames: number;
    readonly sentBytes: number;
    readonly receivedFrames: number;
    readonly receivedBytes: number;
    readonly droppedFrames: number;
    readonly rejectedFrames: number;
  }[];
  readonly storage: { readonly rounds: number; readonly records: number; readonly bytes: number };
}
