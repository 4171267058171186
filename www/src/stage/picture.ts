/**
 * One moment of a cluster, as it is drawn: immutable, and the same whether the cluster is simulated or live. No document, no
 * cluster, no clock.
 */

/** A moment. Times are milliseconds on the picture's own clock: virtual time in the simulator, that of the page live. */
export interface Picture {
  readonly at: number;
  /** In order of their ids. */
  readonly nodes: readonly NodePicture[];
  /** Messages under way at this moment. */
  readonly flights: readonly Flight[];
  /** Of how many messages one is shown: 1 if all are. */
  readonly sampled: number;
  /** Directed links on which something is wrong. */
  readonly links: readonly LinkPicture[];
  /** Groups of nodes that stand apart, each in a ring of its own, three at most; left out: all stand in one. */
  readonly rings?: readonly Ring[];
}

/** A group of nodes; its `id` is 0 where it decides about the others. */
export interface Ring {
  readonly id: number;
  readonly nodes: readonly number[];
}

/** What a node is doing. `paused`: it does nothing while its clock goes on; `frozen`: its clock stands, too. `lost`: never again. */
export type NodeState = "starting" | "running" | "paused" | "frozen" | "down" | "halted" | "lost";

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** A node's part in the cluster. `none`: it is no member, not yet or not any more. */
export type Part = "voter" | "learner" | "joining" | "leaving" | "none";

/** What is said of a node that does not run is what it was last. */
export interface NodePicture {
  readonly id: number;
  readonly state: NodeState;
  readonly role: Role;
  readonly part: Part;
  readonly term: number;
  /** For whom it voted in this term. */
  readonly vote: number | null;
  /** The leader it knows. */
  readonly leader: number | null;
  /** Whose votes, or pre-votes, a candidate has so far. */
  readonly votes: readonly number[];
  /** When its election timer was set, and when it fires. Null for leaders and where there is no timer. */
  readonly timer: { readonly from: number; readonly to: number } | null;
  /** An idle group sleeps: no timers, no messages. */
  readonly asleep: boolean;
  readonly log: LogPicture;
  /** The others, as a leader sees them; empty elsewhere. */
  readonly peers: readonly PeerPicture[];
}

/** A log. All positions are indexes of entries, which count from 1; 0: none. */
export interface LogPicture {
  /** The entry before the first one that is kept. */
  readonly start: number;
  readonly last: number;
  /** The last one on this node's disk. */
  readonly persisted: number;
  readonly commit: number;
  readonly applied: number;
  /** The last one in the latest snapshot. */
  readonly snapshot: number;
  /** The terms of the entries: from `first` on each is of `term`, until the next run. A term that is not known is 0. */
  readonly runs: readonly { readonly first: number; readonly term: number }[];
  /** The newest entries in words, as far as they are known. */
  readonly entries: readonly EntryPicture[];
}

export interface EntryPicture {
  readonly index: number;
  readonly term: number;
  /** What it does in a few characters: `x=1`, `members`, `no-op`. */
  readonly text: string;
}

/** A leader's view of another node. */
export interface PeerPicture {
  readonly id: number;
  /** How far it is known to match, durably. */
  readonly matched: number;
  /** The next entry to send. */
  readonly next: number;
  readonly mode: "probe" | "replicate" | "snapshot";
}

/** What a message is about: what its color says. */
export type FlightKind =
  | "preVote"
  | "vote"
  | "append"
  | "heartbeat"
  | "snapshot"
  | "read"
  | "other"
  | "client";

/** A message under way. */
export interface Flight {
  /** The same in all pictures of one cluster. */
  readonly id: number;
  /** A node; 0: a client. */
  readonly from: number;
  readonly to: number;
  readonly kind: FlightKind;
  /** It is the answer to one of its kind. */
  readonly answer: boolean;
  /** An answer that says no: a vote refused, an append rejected. */
  readonly refuses: boolean;
  /** How many entries it carries. */
  readonly entries: number;
  readonly sentAt: number;
  /** When it arrives, or would have. */
  readonly arrivesAt: number;
  /** It vanishes on its way. */
  readonly lost: boolean;
}

/** A directed link on which something is wrong. */
export interface LinkPicture {
  readonly from: number;
  readonly to: number;
  readonly cut: boolean;
  /** Milliseconds of delay on top. */
  readonly delay: number;
  /** Probability of loss. */
  readonly loss: number;
}
