/**
 * What the simulator's module takes and gives: the shapes of `crate/sim-wasm`. Times are virtual microseconds since the world began.
 * A world is a pure function of its spec and of the acts on it, so both are all that a link carries.
 */

import type { Flight, LinkPicture, NodePicture } from "../stage/picture.js";
import type { Board } from "./board.js";

/** What a world is made of. */
export interface Spec {
  /** All chance comes from it: an integer from 0 to 2^53 - 1. */
  readonly seed: number;
  /**
   * `scene`: a fair world of these nodes and clients, in which nothing happens but what is done to it, and what `faults` asks for.
   * `campaign`: the world that a hunt draws from this seed (nodes, network, disks, faults, clients); what is below is ignored.
   * `shards`: a scene of a controller (nodes 1, 2, ...) and two groups (11, ... and 21, ...) of so many nodes each; clients do what they are told.
   * `job`: a scene of coordinators, and of workers that count words.
   */
  readonly world: "scene" | "campaign" | "shards" | "job";
  /** How long faults come in a campaign, in milliseconds. */
  readonly torment: number;
  /** 1 to 7. */
  readonly nodes: number;
  /** Clients that call by themselves, 0 to 8, and their mean pause between calls in milliseconds. */
  readonly clients: number;
  readonly think: number;
  /** In milliseconds. */
  readonly election: number;
  readonly heartbeat: number;
  /** A message takes `delay` and a random part of the same size on top, in milliseconds. */
  readonly delay: number;
  /** Of a thousand messages so many are lost. */
  readonly loss: number;
  /** A write to a disk takes about so many milliseconds. */
  readonly disk: number;
  /** After so many entries of the log there is a snapshot. */
  readonly snapshotEntries: number;
  /** One message carries so many entries at most, 1 to 1,000. */
  readonly batch: number;
  /** Mean time between two faults that come by themselves, in milliseconds; 0: none come. */
  readonly faults: number;
  /** Who answers reads of the clients: the leader after it asked a majority, or by its lease, or any node after it asked the leader. */
  readonly reads: "leader" | "lease" | "here";
  /** The planted bug or variant, by its name; only the module with planted bugs has any. */
  readonly bug: string | null;
}

/** Something done to a world between two of its events. */
export type Act =
  | {
      readonly do: "crash" | "start" | "pause" | "resume" | "freeze" | "thaw" | "evict";
      readonly node: number;
    }
  /** The node's election timer fires now: its clock jumps to the deadline. */
  | { readonly do: "timeout"; readonly node: number }
  /** The leader hands over to the node. */
  | { readonly do: "transfer"; readonly node: number }
  /** A member is taken out, or loses its vote, or all that were get their places back: by joint consensus. */
  | { readonly do: "remove" | "demote"; readonly node: number }
  | { readonly do: "restore" }
  /** One direction of a link. `slow` adds milliseconds; 0 ends it. `loss` from 0 to 1. */
  | { readonly do: "cut" | "mend"; readonly from: number; readonly to: number }
  | { readonly do: "slow"; readonly from: number; readonly to: number; readonly ms: number }
  | { readonly do: "lossy"; readonly from: number; readonly to: number; readonly loss: number }
  | { readonly do: "heal" }
  /** A message under way is lost, or arrives now. */
  | { readonly do: "lose" | "deliver"; readonly flight: number }
  /** Client number `client` (1 to 9) asks for something; its calls never take longer than `timeout` ms. */
  | {
      readonly do: "call";
      readonly client: number;
      readonly op: "put" | "append" | "increment" | "get" | "delete" | "cas";
      readonly key: string;
      readonly value?: string;
      /** What `cas` expects; left out: that there is no such key. */
      readonly expected?: string;
      readonly timeout: number;
    }
  /** Where there are shards: a group gets its part of them, or gives them up. */
  | { readonly do: "join" | "leave"; readonly group: number }
  /** Where there is a job: it is handed in; a worker comes. */
  | { readonly do: "submit" | "hire" }
  /** A worker ends without a word; or takes ten times as long from now on. */
  | { readonly do: "kill" | "tire"; readonly worker: number };

/**
 * An act at its place: right after event number `after` (0: before the first). An act is an event, too: it takes the next number, so the
 * events after it are numbered on from there.
 */
export interface PlacedAct {
  readonly after: number;
  readonly act: Act;
}

/** What happened since the last chunk, in order. */
export interface Chunk {
  /** Time and number of the last event. */
  readonly at: number;
  readonly count: number;
  /** A hash of all that happened, as 16 hexadecimal digits: two worlds that agree in it are the same. */
  readonly hash: string;
  readonly events: readonly EventRow[];
  /** Nodes that are otherwise than before, and by which event. */
  readonly nodes: readonly NodeRow[];
  /** Messages that were sent. */
  readonly flights: readonly FlightRow[];
  /** Messages that ended since: when and how. */
  readonly landings: readonly LandingRow[];
  /** Calls of clients that began or ended, as they are now. */
  readonly operations: readonly OperationRow[];
  /** All links with a fault, when that changed. */
  readonly links: readonly LinksRow[];
  /** What stands beside the nodes, when that changed. */
  readonly boards: readonly BoardRow[];
  /** What was violated, if anything was: the world stands still from then on. */
  readonly failure: Failure | null;
  /** A campaign that has come to its end, or a world in which nothing will ever happen again. */
  readonly ended: boolean;
}

export type EventKind =
  | "start"
  | "crash"
  | "halt"
  | "deliver"
  /** A message has come to a node that is paused or busy; "deliver" tells when the node takes it. */
  | "wait"
  | "lose"
  | "refuse"
  | "send"
  | "timer"
  | "write"
  | "durable"
  | "fail"
  | "role"
  | "members"
  | "restore"
  | "call"
  | "done"
  | "fault"
  | "hint"
  | "act";

/** A line of the trace. Several lines may be of one event: they have its number. */
export interface EventRow {
  /** The number of the event: of a step of the world. They count from 1. */
  readonly event: number;
  readonly at: number;
  readonly kind: EventKind;
  /** Whose it is: a node; 0: a client, or nobody's. */
  readonly node: number;
  readonly client: number;
  /** Of a message: which. */
  readonly flight: number | null;
  /** In words, as `npm run sim -- --trace` has it. */
  readonly text: string;
  /** Why it came out as it did, where there is a reason to give. */
  readonly why: Why | null;
}

/** A reason with its facts; `www/src/words/why.ts` makes a sentence and names the section of the paper. */
export interface Why {
  readonly reason:
    | "voteGranted"
    | "voteRefusedTerm"
    | "voteRefusedVoted"
    | "voteRefusedLog"
    | "voteRefusedLeader"
    | "voteRefusedMember"
    | "preVoteGranted"
    | "preVoteRefusedTerm"
    | "preVoteRefusedLeader"
    | "preVoteRefusedLog"
    | "appendAccepted"
    | "appendRejectedTerm"
    | "appendRejectedPrev"
    | "messageStale"
    | "termLearned"
    | "committed"
    | "electionTimedOut"
    | "becameLeader"
    | "steppedDown"
    | "snapshotInstalled"
    | "waitsForDisk";
  /** Numbers by name: terms, indexes, nodes. Which ones stands with the reason in `crate/sim-wasm/src/why.rs`. */
  readonly facts: { readonly [name: string]: number };
}

/** A node after an event. */
export interface NodeRow {
  readonly event: number;
  readonly node: NodePicture;
}

/** A message that was sent: everything of a `Flight`, and what is in it. Times are milliseconds here, as in pictures. */
export interface FlightRow extends Flight {
  /** By which event. */
  readonly event: number;
  readonly term: number;
  /** The name of the message in the paper or in docs/protocol.md: `AppendEntries`, `RequestVote`. */
  readonly name: string;
  /** All its fields, in order, in words: `["prev", "t2/7"]`. */
  readonly fields: readonly (readonly [string, string])[];
}

export interface LandingRow {
  readonly flight: number;
  /** The event by which it ended. */
  readonly event: number;
  /** In milliseconds. */
  readonly at: number;
  readonly fate: "arrived" | "lost";
}

/** A call of a client. */
export interface OperationRow {
  /** They count from 1 in the order of their beginning. */
  readonly id: number;
  readonly client: number;
  readonly key: string;
  /** `put 1`, `get`, `cas 1 2`. */
  readonly text: string;
  /** What it was answered; null while it is open, and where it ended without an answer. */
  readonly answer: string | null;
  readonly state: "open" | "answered" | "unknown" | "notApplied";
  readonly calledAt: number;
  readonly calledEvent: number;
  readonly endedAt: number | null;
  readonly endedEvent: number | null;
  /** When it took effect, between call and end; null where it did not, or is not known to have. */
  readonly point: number | null;
}

/** The directed links with a fault after an event. */
export interface LinksRow {
  readonly event: number;
  readonly links: readonly LinkPicture[];
}

/** What stands beside the nodes after an event. */
export interface BoardRow {
  readonly event: number;
  readonly board: Board;
}

export interface Failure {
  readonly kind: "safety" | "liveness";
  /** The name of the property, one of `properties()`. */
  readonly property: string;
  readonly text: string;
  readonly event: number;
  /** For linearizability: the calls, by id, of the shortest contradiction that was found. */
  readonly operations: readonly number[];
}

/** What one world of a hunt came to. */
export interface HuntResult {
  readonly seed: number;
  readonly events: number;
  /** Faults that came, all kinds together. */
  readonly faults: number;
  /** Virtual microseconds. */
  readonly time: number;
  readonly failure: {
    readonly kind: "safety" | "liveness";
    readonly property: string;
    readonly text: string;
  } | null;
}
