/** The public shapes of what is observed. No code. */

import type { NodeState, Role } from "../types.js";
import type { MESSAGE_KINDS } from "./notes.js";

/** What nodes say to each other: see `docs/protocol.md`. */
export type MessageKind = (typeof MESSAGE_KINDS)[number];

/** How often each kind of message came up. */
export type MessageCounts = Readonly<Record<MessageKind, number>>;

/** Latencies in seconds. */
export interface Histogram {
  /** Upper bounds of the buckets, ascending, in seconds. */
  readonly bounds: readonly number[];
  /** How many fell into each bucket, and into one more above the last bound; not added up. */
  readonly counts: readonly number[];
  /** All of them together, in seconds. */
  readonly sum: number;
  /** How many there were. */
  readonly count: number;
}

/**
 * What a node has counted since its worker began, and how it stands. Nothing of it is stored: a node that starts again
 * begins at zero.
 */
export interface NodeMetrics {
  /** The cluster's name. */
  readonly cluster: string;
  /** The node's id. */
  readonly id: number;
  /** For how many seconds it has been counting. */
  readonly uptime: number;
  /** Its role now. */
  readonly role: Role;
  /** Its term now. */
  readonly term: number;
  /** The leader it knows. */
  readonly leader: number | null;
  /** How often it campaigned. */
  readonly elections: number;
  /** How often it came to know another leader, or the same one in another term. */
  readonly leaderChanges: number;
  /** The log and what came of proposals. */
  readonly proposals: {
    /** The commit index. */
    readonly committed: number;
    /** The applied index. */
    readonly applied: number;
    /** Entries of this leader that are not committed; 0 elsewhere. */
    readonly pending: number;
    /** Requests that ended without an answer, but for those that were sent on to the leader. */
    readonly failed: number;
  };
  /** What clients asked of it. */
  readonly requests: {
    readonly writes: number;
    /** Linearizable ones. */
    readonly reads: number;
    /** Reads of its own state, which may be old. */
    readonly ownReads: number;
    /** Questions that wait until there is something to say. */
    readonly watches: number;
  };
  /** What it answered. */
  readonly replies: {
    readonly done: number;
    /** Not the leader. */
    readonly redirected: number;
    /** Leadership was lost before the commit: the outcome is unknown. */
    readonly lost: number;
    readonly overloaded: number;
    /** Session expired, or too large. */
    readonly refused: number;
  };
  /** To and from the other nodes, by their kinds. */
  readonly messages: {
    /** Handed over to the way to a peer, whatever became of them there. */
    readonly sent: MessageCounts;
    readonly received: MessageCounts;
    /** Those of a peer, or for one, that a rule of the network, a bound, or the lack of a connection took. */
    readonly lost: MessageCounts;
  };
  /** The ways to the others. */
  readonly peers: readonly PeerMetrics[];
  /** The log. */
  readonly log: {
    /** Entries in memory. */
    readonly entries: number;
    /** Payload bytes of those. */
    readonly bytes: number;
    /** The last durable entry. */
    readonly persisted: number;
  };
  /** Written durably: rounds, records in them, bytes of those. */
  readonly storage: { readonly rounds: number; readonly records: number; readonly bytes: number };
  /** Snapshots since the node started. */
  readonly snapshots: {
    /** Made durable: its own, and those of a leader. */
    readonly written: number;
    /** Those of them that came from a leader, and replaced the state. */
    readonly installed: number;
    /** Sent to a follower that has it now. */
    readonly sent: number;
  };
  /** The store, and who asks it. */
  readonly store: {
    /** 0, as the revision, the bytes and the leases, where the machine is one's own. */
    readonly keys: number;
    readonly revision: number;
    /** Encoded bytes of all keys and values, those of the past included. */
    readonly bytes: number;
    readonly leases: number;
    /** Clients with exactly-once records. */
    readonly sessions: number;
    /** Questions that wait now. */
    readonly watchers: number;
    /** Requests that wait for their answer now, watchers included. */
    readonly waiting: number;
  };
  /** From a proposal of this leader to its commit; each entry counts. */
  readonly commit: Histogram;
  /** A step of the node in which committed entries were executed, from the event to its effects; each step counts. */
  readonly apply: Histogram;
  /** One durable write. */
  readonly persist: Histogram;
}

/** The way from a node to another, since the node started. */
export interface PeerMetrics {
  /** The other node's id. */
  readonly id: number;
  /** Frames that went out, each with one message or more. */
  readonly sentFrames: number;
  /** Their bytes. */
  readonly sentBytes: number;
  /** Frames that came in. */
  readonly receivedFrames: number;
  /** Their bytes. */
  readonly receivedBytes: number;
  /** Lost to a rule, to a missing connection, or to a bound. */
  readonly droppedFrames: number;
  /** What came and was no frame of this cluster. */
  readonly rejectedFrames: number;
  /** From a leader's heartbeat to the answer. */
  readonly roundTrip: Histogram;
}

/** A node in the cluster's metrics. */
export interface NodeMetricsView {
  /** The node's id. */
  readonly id: number;
  /** Whether it runs. */
  readonly state: NodeState;
  /** How often it was started by this `Cluster`. */
  readonly starts: number;
  /** Null while it does not run, and if it did not answer in time. */
  readonly metrics: NodeMetrics | null;
}

/** What all nodes have counted. */
export interface ClusterMetrics {
  /** The cluster's name. */
  readonly cluster: string;
  /** When it was asked, in milliseconds since 1970. */
  readonly time: number;
  /** Every node of the cluster. */
  readonly nodes: readonly NodeMetricsView[];
  /** The sums over the nodes that run; of the commit index the highest. */
  readonly totals: MetricsTotals;
}

/** Sums over nodes. */
export interface MetricsTotals {
  /** How many nodes run. */
  readonly running: number;
  /** Campaigns. */
  readonly elections: number;
  /** The highest commit index. */
  readonly committed: number;
  /** As `proposals.failed`. */
  readonly failed: number;
  /** What clients asked. */
  readonly requests: NodeMetrics["requests"];
  /** Messages of all kinds that were sent. */
  readonly sentMessages: number;
  /** Those that were received. */
  readonly receivedMessages: number;
  /** Those that were lost. */
  readonly lostMessages: number;
  /** Bytes that went out to other nodes. */
  readonly sentBytes: number;
  /** What was written durably. */
  readonly storage: NodeMetrics["storage"];
  /** Snapshots. */
  readonly snapshots: NodeMetrics["snapshots"];
  /** From proposals to their commits. */
  readonly commit: Histogram;
  /** Steps in which entries were executed. */
  readonly apply: Histogram;
  /** Durable writes. */
  readonly persist: Histogram;
  /** From leaders' heartbeats to the answers. */
  readonly roundTrip: Histogram;
}

/** What a debug log can be about. */
export type DebugTopic =
  | "election"
  | "append"
  | "commit"
  | "persist"
  | "snapshot"
  | "member"
  | "read"
  | "transport";

/** One line of the debug log. */
export interface DebugEntry {
  /** Milliseconds since the cluster was opened. */
  readonly time: number;
  /** Whose line it is. */
  readonly node: number;
  /** Its term then. */
  readonly term: number;
  /** Its role then. */
  readonly role: Role;
  /** What it is about. */
  readonly topic: DebugTopic;
  /** What happened. */
  readonly text: string;
}

/** Hears the debug log: each line in its columns, and what is in them. */
export type DebugListener = (line: string, entry: DebugEntry) => void;
