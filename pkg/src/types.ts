/// <reference lib="esnext.disposable" />
/** The public shapes: what a caller gives and gets. No code. */

import type { BackupSource, BackupSummary, ExportOptions, ImportOptions } from "./backup/types.js";
import type { QuorateError } from "./errors.js";
import type { Json, Kv, KvReads } from "./kv/types.js";
import type { AnyMachine, Machine, MachineCalls, MachineQueries } from "./machine/types.js";
import type { ClusterMetrics, DebugListener, DebugTopic, NodeMetrics } from "./observe/types.js";
import type { StorageFactory } from "./storage/storage.js";
import type { Transport } from "./transport/transport.js";

/** A key: text (as UTF-8) or bytes, 1 to 4,096 bytes long. Keys are ordered by their bytes. */
export type Key = string | Uint8Array;

/** What `Cluster.open` takes. Unknown options are refused. */
export interface ClusterOptions {
  /** Names the cluster and its storage: 1 to 64 of `A-Z a-z 0-9 . _ -`, beginning with a letter or digit. */
  readonly name: string;
  /**
   * With how many nodes the cluster is founded, 1 to 7. Default 3. Later its members are whoever `members` says.
   */
  readonly nodes?: number;
  /**
   * Where the nodes keep their state. Default: `"indexeddb"` in a browser, `"directory"` on Node.
   * `"memory"` survives `kill`, but not `close`. A function makes one storage for each node.
   */
  readonly storage?: "indexeddb" | "directory" | "memory" | StorageFactory;
  /**
   * With IndexedDB: when a write counts as stored. `"strict"`: when the disk has it. `"relaxed"`: when the system has it, which is
   * faster and survives the end of workers, page and browser; but a power cut, or a crash of the system, may take the last moments, and what was
   * acknowledged in them. The nodes then go on together from a state that the cluster had. After the page was opened all nodes must be there once to
   * elect a leader. A cluster is opened as it was founded: else `STORAGE_FOREIGN`. Default `"strict"`.
   */
  readonly durability?: "strict" | "relaxed";
  /** On Node: the directory for `storage: "directory"`. Default `.quorate/<name>`. */
  readonly directory?: string;
  /** How fast a lost leader is noticed. */
  readonly timeouts?: {
    /** A follower that hears nothing for one to two times this many milliseconds campaigns. Default 300. */
    readonly election?: number;
    /** An idle leader speaks every so many milliseconds; at most half of `election`. Default 60. */
    readonly heartbeat?: number;
  };
  /**
   * How a leader makes sure that it still leads before it answers a read. `"quorum"`: it asks a majority. `"lease"`: it
   * asks nobody for three quarters of an election timeout after a majority last heard it. That is faster, and rests on
   * clocks that drift by less than a tenth; a page that was frozen is found out and asks again. Default `"quorum"`.
   */
  readonly reads?: "quorum" | "lease";
  /** How many milliseconds a call may take unless it says otherwise. Default 10,000. */
  readonly deadline?: number;
  /**
   * After this many entries of the log all nodes take a snapshot, and compare their states; or after more, if the last
   * snapshot was larger than they are. Default 10,000.
   */
  readonly snapshotEntries?: number;
  /**
   * Makes what the nodes do visible in a profiler, as measures of the User Timing API: elections, commits, durable
   * writes, snapshots, starts. Default false; `cluster.trace()` changes it.
   */
  readonly trace?: boolean;
  /**
   * Tells what the nodes do line by line, about all topics or some. `true` and a list print to the console, on Node to
   * the standard error; a function hears each line. Default: what the environment variable `QUORATE_DEBUG` lists on
   * Node, else nothing.
   */
  readonly debug?: boolean | readonly DebugTopic[] | DebugListener;
  /** Gives up opening, and closes what was opened so far. */
  readonly signal?: AbortSignal;
  /** The WebAssembly, if the default place does not suit. */
  readonly wasm?: URL | Response | BufferSource | WebAssembly.Module;
  /**
   * Makes the worker of a node, if the default way does not suit. It must run the `quorate/worker` module: in a page
   * `() => new Worker(new URL("./node.js", import.meta.url), { type: "module" })`, where node.js has
   * `import "quorate/worker"`.
   */
  readonly createWorker?: (node: number) => WorkerHandle;
}

/** What `Cluster.open` takes for a cluster whose nodes run a state machine of one's own. */
export interface MachineOptions extends ClusterOptions {
  /** Where the machine's module is, absolute: `new URL("./machine.js", import.meta.url)`. Each worker imports it. */
  readonly machine: URL | string;
}

/** A browser's `Worker` or Node's `worker_threads.Worker`. */
export interface WorkerHandle {
  /** Sends it a message, with what is transferred. */
  postMessage(message: never, transfer?: never): void;
  /** Ends it where it stands. */
  terminate(): unknown;
}

/** What every call takes. */
export interface CallOptions {
  /** Ends the call early with `ABORTED`. A write may still take effect. */
  readonly signal?: AbortSignal;
  /** How many milliseconds the call may take. Default: the cluster's `deadline`. */
  readonly timeout?: number;
}

/** A running cluster with a key-value store. */
export interface Cluster extends AnyCluster<ClusterNode> {
  /** The key-value store, with JSON values. `kv.as("utf8")` and `kv.as("bytes")` see the same keys otherwise. */
  readonly kv: Kv<Json>;
}

/** A running cluster with a state machine of one's own. */
export interface MachineCluster<M extends AnyMachine = Machine>
  extends AnyCluster<MachineNode<M>>,
    MachineCalls<M> {}

/** What every running cluster has. */
export interface AnyCluster<N extends AnyNode = AnyNode> {
  /** Its name. */
  readonly name: string;
  /** Drawn when the cluster was founded: another one of the same name has another id. */
  readonly id: string;
  /**
   * Where its state comes from: it was founded by this `open`; brought back from storage; or founded anew although
   * there had been one of this name, all of whose storage is gone.
   */
  readonly origin: "founded" | "restored" | "reset";
  /** Its nodes, in order of their ids, which count from 1. */
  readonly nodes: readonly N[];
  /** Who takes part, and how that changes. */
  readonly members: Members;
  /** Who leads. */
  readonly leadership: Leadership;
  /** Faults of the network between the nodes. */
  readonly network: Network;
  /** One node. */
  node(id: number): N;
  /** A fresh picture of all nodes; killed and halted ones are in it as such. */
  status(options?: CallOptions): Promise<ClusterStatus>;
  /** What the nodes that run have counted since they started; what does not run has nothing. */
  metrics(options?: CallOptions): Promise<ClusterMetrics>;
  /** Makes what the nodes do visible in a profiler, or no longer: see the option `trace`. */
  trace(on: boolean): void;
  /** The leader's id, as soon as there is one. */
  leader(options?: CallOptions): Promise<number>;
  /**
   * The store as a stream of bytes: all keys, values and leases as of one revision. Writes go on meanwhile; if so much is
   * written that this revision is forgotten, the stream fails with `COMPACTED`.
   */
  export(options?: ExportOptions): ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * Reads into the store what `export` wrote. Keys, values and leases become what they were; revisions begin anew.
   * Resolves to what the backup is.
   */
  import(source: BackupSource, options?: ImportOptions): Promise<BackupSummary>;
  /** Hears events of one kind from now on; `signal` and `once` work as everywhere. */
  addEventListener<K extends keyof ClusterEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  /** Hears them no more. */
  removeEventListener<K extends keyof ClusterEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | EventListenerOptions,
  ): void;
  /** Ends every open call with `CLOSED`, stops the nodes and frees their storage. Their state stays. */
  close(): Promise<void>;
  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What `add` takes. */
export interface AddOptions extends CallOptions {
  /** It gets everything and has no vote. Default false. */
  readonly learner?: boolean;
}

/**
 * Changes of the membership, by joint consensus: safe at any time, one at a time. A call resolves when its change is
 * complete; if it ends before, a change that was taken goes on by itself. Refusals are `MembershipError`s.
 */
export interface Members {
  /** As last heard. */
  list(): readonly MemberView[];
  /**
   * Starts a new node and makes it a member: it gets everything, and once it has caught up, its vote. Without an id it
   * gets the one after the highest there is. Resolves to its id.
   */
  add(id?: number, options?: AddOptions): Promise<number>;
  /** Makes a node go, also a dead one, and stops it. A leader that goes hands over first. Its storage stays. */
  remove(id: number, options?: CallOptions): Promise<void>;
  /** Adds a new node, and lets `dead` go in the moment in which that has caught up. Resolves to the new node's id. */
  replace(dead: number, fresh?: number, options?: CallOptions): Promise<number>;
  /** Gives a learner its vote, once it has caught up. */
  promote(id: number, options?: CallOptions): Promise<void>;
  /** Takes a voter's vote; it goes on as a learner. */
  demote(id: number, options?: CallOptions): Promise<void>;
}

/** Who leads. */
export interface Leadership {
  /** Hands leadership over to a voter. Resolves when it leads. */
  transferTo(id: number, options?: CallOptions): Promise<void>;
}

/** A member. */
export interface MemberView {
  /** The node's id. */
  readonly id: number;
  /** Whether it has a vote; if not it is a learner. */
  readonly voter: boolean;
  /**
   * A learner that gets its vote once it has caught up; or a voter while the former voters also decide without it (joint
   * consensus, paper section 6), so that none of them can be spared yet.
   */
  readonly joining: boolean;
  /** A voter that is on its way out. */
  readonly leaving: boolean;
}

/** One node of a cluster with a store. */
export interface ClusterNode extends AnyNode {
  /**
   * Reads that this node answers from its own copy, as linearizable as any: the leader tells it what it must have
   * applied. They spare the leader, and wait for this node.
   */
  readonly kv: KvReads<Json>;
}

/** One node of a cluster with a machine. Its queries are answered from its own copy, as linearizable as any. */
export interface MachineNode<M extends AnyMachine = Machine> extends AnyNode, MachineQueries<M> {}

/** One node: a worker with its own core and its own storage. */
export interface AnyNode {
  /** Its id, from 1. */
  readonly id: number;
  /** What it is doing. */
  readonly state: NodeState;
  /** Why it halted, while it is `halted`. */
  readonly reason: QuorateError | undefined;
  /** A fresh picture; `NODE_KILLED` or `NODE_HALTED` when it does not run. */
  status(options?: CallOptions): Promise<NodeStatus>;
  /** What it has counted since it started; `NODE_KILLED` or `NODE_HALTED` when it does not run. */
  metrics(options?: CallOptions): Promise<NodeMetrics>;
  /** Terminates the worker where it stands: no farewell, only durable state is left. */
  kill(): Promise<void>;
  /** Starts a killed or halted node from its storage. Resolves when it runs; nothing if it does already. */
  start(): Promise<void>;
}

/** What a node is doing. `halted` is a node that stopped by itself. */
export type NodeState = "starting" | "running" | "killed" | "halted";

/** Rules between nodes. Calls from here reach every node all the time, partitioned or not. */
export interface Network {
  /**
   * Lets nodes talk only within their group. Nodes that are not named form one more group together: with three
   * nodes, `partition([1])` and `partition([1], [2, 3])` are the same. Replaces an earlier partition.
   */
  partition(...groups: (readonly number[])[]): void;
  /** Cuts each of these nodes off from every other; the rest stay together. Replaces an earlier partition. */
  isolate(...nodes: number[]): void;
  /** Loses each frame with a probability from 0 to 1. Without `from` or `to`, on all links. */
  drop(rule: { from?: number; to?: number; probability: number }): void;
  /** Delays each frame by `ms`, and a random part of `jitter` more, so that frames overtake one another. */
  delay(rule: { from?: number; to?: number; ms: number; jitter?: number }): void;
  /** Ends partitions, drops and delays. */
  heal(): void;
  /** The rules in force, one for each directed link that has any. */
  readonly rules: readonly LinkRule[];
}

/** What happens to frames from one node to another. */
export interface LinkRule {
  /** The node that sends. */
  readonly from: number;
  /** The node that does not get it, or gets it later. */
  readonly to: number;
  /** Nothing passes. */
  readonly cut: boolean;
  /** Probability of loss. */
  readonly drop: number;
  /** Milliseconds of delay. */
  readonly delay: number;
  /** Milliseconds of random delay on top. */
  readonly jitter: number;
}

/** A node's part in the cluster. */
export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** A picture of one node. */
export interface NodeStatus {
  /** The node's id. */
  readonly id: number;
  /** Its part in the cluster. */
  readonly role: Role;
  /** The term it knows. */
  readonly term: number;
  /** For whom it voted in this term. */
  readonly vote: number | null;
  /** The leader it knows. */
  readonly leader: number | null;
  /** The last entry known to be committed. */
  readonly commit: number;
  /** The last entry applied to the store. */
  readonly applied: number;
  /** The last entry of the log. */
  readonly last: number;
  /** The term of that entry. */
  readonly lastTerm: number;
  /** The last durable entry. */
  readonly persisted: number;
  /** The entry before the first one in the log. */
  readonly logStart: number;
  /** The entry up to which the latest snapshot reaches. */
  readonly snapshot: number;
  /** Bytes of the log in memory. */
  readonly logBytes: number;
  /** Records and bytes written to storage since the node started, in how many rounds. */
  readonly storage: { readonly rounds: number; readonly records: number; readonly bytes: number };
  /** Keys in its store; 0 where the machine is one's own. */
  readonly keys: number;
  /** The revision of its store; 0 where the machine is one's own. */
  readonly revision: number;
  /** Clients with exactly-once records. */
  readonly sessions: number;
  /** Requests that wait for their answer. */
  readonly waiting: number;
  /** Frames to others that rules dropped. */
  readonly droppedFrames: number;
  /** Frames from others that were no frames of ours. */
  readonly rejectedFrames: number;
  /** For nodes of `Node.open`; else null. */
  readonly transport: TransportStatus | null;
  /** The others, as a leader sees them. */
  readonly peers: readonly PeerStatus[];
  /** The membership in its log. */
  readonly members: {
    readonly voters: readonly number[];
    /** While two halves decide together: the voters of the half that goes. */
    readonly outgoing: readonly number[];
    readonly learners: readonly number[];
    /** Learners that are to have a vote. */
    readonly joining: readonly number[];
  };
  /** Where that stands in the log; 0 for the founders. */
  readonly membersIndex: number;
  /** To whom this leader is handing over. */
  readonly transferring: number | null;
}

/** What went over the transport of a node of `Node.open`. */
export interface TransportStatus {
  /** Drawn for this life of the node's worker. */
  readonly incarnation: string;
  /** Frames that were given to the transport. */
  readonly sent: number;
  /** Frames that came in and were taken. */
  readonly received: number;
  /** Not sent, because the other one has been silent for long. */
  readonly withheld: number;
  /** What came in and was not taken, by the reason. */
  readonly dropped: {
    /** No envelope of ours, or for somebody else. */
    readonly malformed: number;
    /** It claims to be from someone else than the transport says. */
    readonly origin: number;
    /** From a cluster of another name or another id. */
    readonly cluster: number;
    /** In another version's format. */
    readonly version: number;
    /** From or for an earlier life of a node, or from one that has not said hello. */
    readonly incarnation: number;
    /** Of a client or for one, and came a second time, or after a later one. */
    readonly repeated: number;
  };
}

/** A leader's view of another node. */
export interface PeerStatus {
  /** The node's id. */
  readonly id: number;
  /** How far it is known to match, durably. */
  readonly matched: number;
  /** The next entry to send. */
  readonly next: number;
  /** How it is sent entries: one at a time to find where it is, as fast as it takes them, or a snapshot. */
  readonly mode: "probe" | "replicate" | "snapshot";
  /** Messages with entries that it has not answered yet. */
  readonly inflight: number;
  /** It has lost its storage, and with it its place: it gets everything anew before it may vote. */
  readonly amnesiac: boolean;
}

/** A node in the cluster's picture. */
export interface NodeView {
  /** The node's id. */
  readonly id: number;
  /** What it is doing. */
  readonly state: NodeState;
  /** Why it halted. */
  readonly reason: QuorateError | undefined;
  /** Its last known status: fresh while it runs, of its last moment when it does not, null before its first. */
  readonly status: NodeStatus | null;
}

/** A picture of the cluster. Immutable. */
export interface ClusterStatus {
  /** The cluster's name. */
  readonly name: string;
  /** Its nodes, in order of their ids. */
  readonly nodes: readonly NodeView[];
  /** The running leader of the highest term, if any. */
  readonly leader: number | null;
  /** The highest term. */
  readonly term: number;
  /** The highest commit index. */
  readonly commit: number;
  /** Who takes part. */
  readonly members: readonly MemberView[];
  /** The rules of the network in force. */
  readonly rules: readonly LinkRule[];
}

/** What events carry, by their name. */
export interface ClusterEvents {
  /** The cluster has another leader, or none. */
  leaderchange: { readonly leader: number | null; readonly term: number };
  /** A node changed role or term. */
  rolechange: {
    readonly node: number;
    readonly role: Role;
    readonly term: number;
    readonly leader: number | null;
  };
  /** More is committed. Throttled: one event may stand for many entries. */
  commit: { readonly index: number; readonly term: number };
  /** Something in the picture changed. Throttled. */
  status: ClusterStatus;
  /** A node was killed. */
  nodedown: { readonly node: number };
  /** A node runs. */
  nodeup: { readonly node: number };
  /** A step of a change of the membership is committed. */
  memberchange: { readonly members: readonly MemberView[] };
  /** How far a learner that is to have a vote has come: what it has of what there is. */
  catchup: { readonly node: number; readonly matched: number; readonly last: number };
  /** A node lost its storage: it begins again without a vote. `memberchange` tells when it has it back. */
  amnesia: { readonly node: number };
  /** A node stopped by itself. */
  halted: { readonly node: number; readonly reason: QuorateError };
  /** The rules of the network changed. */
  network: { readonly rules: readonly LinkRule[] };
}

/** An event of a cluster. */
export type ClusterEvent<K extends keyof ClusterEvents> = CustomEvent<ClusterEvents[K]>;

/** Hears one kind of event. */
export type ClusterListener<K extends keyof ClusterEvents> = (event: ClusterEvent<K>) => void;

/** The way in. */
export interface ClusterFactory {
  /**
   * Starts a cluster whose nodes run a machine of one's own, or brings one back from its storage. Fails as the other does, and with
   * `MACHINE_LOAD`, `MACHINE_INVALID` and `MACHINE_MISMATCH`.
   */
  open<M extends AnyMachine = Machine>(options: MachineOptions): Promise<MachineCluster<M>>;
  /**
   * Starts a cluster, or brings one back from its storage. Resolves when its nodes run; calls wait for a leader by themselves.
   * `INVALID_OPTION` before anything is started; `STORAGE_LOCKED` if another one uses the storage, `STORAGE_FOREIGN`, and other
   * errors of storages if no majority can start; `WASM_LOAD`, `WORKER_FAILED`, `ABORTED`. What was started is closed then.
   */
  open(options: ClusterOptions): Promise<Cluster>;
}

/** What `Node.open` takes: what `Cluster.open` does for all nodes, for one. Unknown options are refused. */
export interface NodeOptions
  extends Pick<
    ClusterOptions,
    | "storage"
    | "directory"
    | "timeouts"
    | "reads"
    | "deadline"
    | "snapshotEntries"
    | "signal"
    | "wasm"
    | "createWorker"
  > {
  /** Names the cluster and its storage, as `name` does for `Cluster.open`. */
  readonly cluster: string;
  /** Which node this is, 1 to 999: no other one has it. Left out in a tab, with `broadcastChannel()`: it gets one. */
  readonly id?: number;
  /** How the nodes reach one another. */
  readonly transport: Transport;
  /**
   * The node founds the cluster, if its storage knows of none and nobody tells it of one. True for one node alone; the
   * others join. Among tabs the first one founds. Default false.
   */
  readonly found?: boolean;
}

/** What `Node.open` takes for a cluster whose nodes run a state machine of one's own. */
export interface MachineNodeOptions extends NodeOptions {
  /** As for `Cluster.open`. All nodes of a cluster run the same one. */
  readonly machine: URL | string;
}

/** A running node of a cluster with a key-value store, whose other nodes belong to someone else. */
export interface Node extends OwnNode {
  /** The key-value store, as of a `Cluster`. */
  readonly kv: Kv<Json>;
  /** Reads that this node answers from its own copy, as linearizable as any: the leader tells it what it must have applied. */
  readonly here: KvReads<Json>;
}

/** A running node of a cluster with a state machine of one's own, whose other nodes belong to someone else. */
export interface MachineOwnNode<M extends AnyMachine = Machine> extends OwnNode, MachineCalls<M> {
  /** Queries that this node answers from its own copy, as linearizable as any. */
  readonly here: MachineQueries<M>;
}

/** What every running node of `Node.open` has. */
export interface OwnNode {
  /** The cluster's name. */
  readonly cluster: string;
  /** Its id. A tab's can be another one after the page was kept for later or frozen. */
  readonly id: number;
  /** As `Cluster.origin`; `"joined"`: this storage is new, and its cluster is not. */
  readonly origin: "founded" | "restored" | "reset" | "joined";
  /** What it is doing. */
  readonly state: NodeState;
  /** Why it halted, while it is `halted`. */
  readonly reason: QuorateError | undefined;
  /** Who takes part. Nodes join by being opened. */
  readonly members: NodeMembers;
  /** Who leads. */
  readonly leadership: Leadership;
  /** A fresh picture of this node; `NODE_KILLED` or `NODE_HALTED` when it does not run. */
  status(options?: CallOptions): Promise<NodeStatus>;
  /**
   * Terminates the worker where it stands: no farewell, only durable state is left. A tab's node is then adopted as if the tab
   * were gone; one in a shared worker goes on for its other pages. Calls wait for `start`, to their deadlines.
   */
  kill(): Promise<void>;
  /**
   * Starts a killed or halted node from its storage. Resolves when it runs; nothing if it does already. A tab may get
   * another id: it begins as one that opens.
   */
  start(): Promise<void>;
  /** The leader's id, as soon as this node knows one. */
  leader(options?: CallOptions): Promise<number>;
  /** Hears events of one kind from now on; `signal` and `once` work as everywhere. */
  addEventListener<K extends keyof NodeEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  /** Hears them no more. */
  removeEventListener<K extends keyof NodeEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | EventListenerOptions,
  ): void;
  /** Ends every open call with `CLOSED`, stops the node and frees its storage. Its state stays, and it stays a member. */
  close(): Promise<void>;
  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a node of `Node.open` can change. One that is removed and still runs joins again. */
export type NodeMembers = Omit<Members, "add" | "replace">;

/** What a node of `Node.open` tells: `nodeup` and `nodedown` also of others, when they can be reached and no longer. */
export type NodeEvents = Pick<
  ClusterEvents,
  "leaderchange" | "rolechange" | "commit" | "memberchange" | "nodeup" | "nodedown" | "halted"
>;

/** The way in for one node. */
export interface NodeFactory {
  /** Starts a node that runs a machine of one's own, and joins or founds its cluster. Resolves when it runs. */
  open<M extends AnyMachine = Machine>(options: MachineNodeOptions): Promise<MachineOwnNode<M>>;
  /** Starts a node, and joins or founds its cluster. Resolves when it runs. */
  open(options: NodeOptions): Promise<Node>;
}
