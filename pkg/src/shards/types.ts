/// <reference lib="esnext.disposable" />
/** The public shapes of a sharded store: what a caller gives and gets. No code. */

import type {
  Codec,
  CodecValues,
  CustomCodec,
  DeleteOptions,
  Json,
  KeyedEntry,
  Kv,
  RangeOptions,
  RangeSelection,
  ReadOptions,
  WatchEvent,
  WatchOptions,
} from "../kv/types.js";
import type { Recipes } from "../recipes/types.js";
import type {
  AnyNode,
  CallOptions,
  ClusterEvents,
  ClusterOptions,
  Key,
  Network,
  Role,
} from "../types.js";

/** What `ShardedCluster.open` takes. Unknown options are refused. */
export interface ShardedClusterOptions
  extends Pick<
    ClusterOptions,
    | "name"
    | "storage"
    | "directory"
    | "timeouts"
    | "deadline"
    | "snapshotEntries"
    | "debug"
    | "signal"
    | "wasm"
    | "createWorker"
  > {
  /** On how many nodes the store is founded, 1 to 7; each is a worker. Default 3. */
  readonly nodes?: number;
  /** With how many groups the store is founded, 1 to 1,024. Default 2. Later there are those that `groups` says. */
  readonly groups?: number;
  /** How many shards there are, 1 to 4,096, for good: another number than at the founding is refused. Default 64. */
  readonly shards?: number;
  /** On how many nodes each group is. Default 3, or as many as there are nodes. */
  readonly replicas?: number;
  /** Moves shards from groups that have much to do to others that have little. Default false. */
  readonly rebalance?: boolean | RebalanceOptions;
}

/** How a store is balanced by load. */
export interface RebalanceOptions {
  /** How often it is looked at what the groups have to do, in milliseconds, 100 to 3,600,000; at most one shard moves each time. Default 5,000. */
  readonly interval?: number;
  /** A shard moves only if the busiest group then has at least this part less to do, above 0 up to 1. Default 0.1. */
  readonly gain?: number;
  /** Where all shards together have fewer calls than this a second, none moves. Default 100. */
  readonly minRate?: number;
}

/** A running store whose shards are on several groups. */
export interface ShardedCluster {
  /** Its name. */
  readonly name: string;
  /** Drawn when it was founded: another one of the same name has another id. */
  readonly id: string;
  /** Where its state comes from: see `Cluster.origin`. */
  readonly origin: "founded" | "restored" | "reset";
  /** Its nodes, in order of their ids, which count from 1. Each may have a replica of many groups. */
  readonly nodes: readonly AnyNode[];
  /** Faults of the network between the nodes. */
  readonly network: Network;
  /** The store, with JSON values. */
  readonly kv: ShardedKv<Json>;
  /** Which groups there are. */
  readonly groups: Groups;
  /** Which group has which shard. */
  readonly shards: Shards;
  /** One node. */
  node(id: number): AnyNode;
  /** A fresh picture of all groups, as their leaders see them. */
  status(options?: CallOptions): Promise<ShardedStatus>;
  /** Hears events of one kind from now on; `signal` and `once` work as everywhere. */
  addEventListener<K extends keyof ShardedEvents>(
    type: K,
    listener: ShardedListener<K>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  /** Hears them no more. */
  removeEventListener<K extends keyof ShardedEvents>(
    type: K,
    listener: ShardedListener<K>,
    options?: boolean | EventListenerOptions,
  ): void;
  /** Ends every open call with `CLOSED`, stops the nodes and frees their storage. Their state stays. */
  close(): Promise<void>;
  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What `groups.add` takes. */
export interface AddGroupOptions extends CallOptions {
  /** How large a part of the shards it gets, beside the weights of the others: 1 to 1,000. Default 1. */
  readonly weight?: number;
  /** On which nodes it is, 1 to 7. Default: as many as `replicas` says, those that have the fewest groups. */
  readonly nodes?: readonly number[];
}

/** What `groups.remove` takes. */
export interface RemoveGroupOptions extends CallOptions {
  /** Also if it is the last: what the shards hold is lost then. Default false. */
  readonly discard?: boolean;
}

/**
 * Which groups there are. Each change makes a new configuration, by which as few shards move as balance allows. A call
 * resolves when all of them have moved; if it ends before, they go on by themselves. Refusals are `MembershipError`s.
 */
export interface Groups {
  /** As last heard, in order of their ids. */
  list(): readonly Group[];
  /** Makes a new group, and gives it shards of the others. `TOO_MANY_GROUPS`. Resolves to its id, which no group had before. */
  add(options?: AddGroupOptions): Promise<number>;
  /** Gives the shards of a group to the others, and forgets it. `UNKNOWN_GROUP`, `LAST_GROUP`. */
  remove(id: number, options?: RemoveGroupOptions): Promise<void>;
  /** Changes what part of the shards a group has. */
  setWeight(id: number, weight: number, options?: CallOptions): Promise<void>;
}

/** A group of a configuration. */
export interface Group {
  /** Its id. */
  readonly id: number;
  /** How large a part of the shards it gets, beside the weights of the others. */
  readonly weight: number;
  /** On which nodes it is. */
  readonly nodes: readonly number[];
}

/** Which group has which shard. */
export interface Shards {
  /** How many there are. */
  readonly count: number;
  /**
   * The shard of a key: a hash of it, or, where the key has a tag, as in `cart/{ann}/1`, of what is between the braces. So keys
   * with one tag are in one shard.
   */
  of(key: Key): number;
  /** The group of each shard, as last heard; 0 while there is none. */
  list(): readonly number[];
  /**
   * Gives a shard to a group, until the groups or their weights change: then all are balanced again. Resolves when it is served
   * there. `UNKNOWN_SHARD`, `UNKNOWN_GROUP`.
   */
  move(shard: number, group: number, options?: CallOptions): Promise<void>;
  /** A configuration by its number, by default the latest. `CONFIG_COMPACTED` if it is no longer kept, `FUTURE_CONFIG`. */
  configuration(number?: number, options?: CallOptions): Promise<Configuration>;
}

/** Which group has which shard, from one number to the next. */
export interface Configuration {
  /** Counted from 0, in which there are no groups. */
  readonly number: number;
  /** The group of each shard; 0 where there are none. */
  readonly shards: readonly number[];
  /** All groups, in order of their ids. */
  readonly groups: readonly Group[];
}

/** A picture of a sharded store. */
export interface ShardedStatus {
  /** Its name. */
  readonly name: string;
  /** The latest configuration. */
  readonly configuration: Configuration;
  /** The group that makes configurations, and those that have shards, as their leaders see them. */
  readonly groups: readonly GroupStatus[];
  /** What each node does. */
  readonly nodes: readonly { readonly id: number; readonly state: AnyNode["state"] }[];
}

/** A picture of one group, from its leader, or else from a node that has it. */
export interface GroupStatus {
  /** Its id; 0 makes configurations. */
  readonly id: number;
  /** Who leads it, as far as this node knows. */
  readonly leader: number | null;
  /** The term it is in. */
  readonly term: number;
  /** The last entry that is known to be committed. */
  readonly commit: number;
  /** Its replicas: on which nodes, and in which roles. Nodes that do not run are missing. */
  readonly replicas: readonly { readonly node: number; readonly role: Role }[];
  /** The configuration in force there; 0 for group 0. */
  readonly configuration: number;
  /** Bytes of all its shards. */
  readonly bytes: number;
  /** Its shards, in order. */
  readonly shards: readonly ShardStatus[];
}

/** How a shard stands in a group. */
export interface ShardStatus {
  /** Which. */
  readonly shard: number;
  /**
   * `serving`: it stays. `leaving`: it is served here, while another group copies it. `frozen`: that one has all but the last
   * changes; nobody serves it. `arriving`: it is not served here yet.
   */
  readonly stands: "serving" | "leaving" | "frozen" | "arriving";
  /** The group that gets it, or that gives it. */
  readonly other: number | null;
}

/** What events carry. */
export interface ShardedEvents
  extends Pick<ClusterEvents, "nodedown" | "nodeup" | "halted" | "network"> {
  /** There is a new configuration. */
  configuration: Configuration;
  /** A shard is on its way, or has arrived. */
  migration: Migration;
}

/** How far a shard is on its way. Told when that changes, some times a second at most. */
export interface Migration {
  /** Which shard. */
  readonly shard: number;
  /** Who gives it. */
  readonly from: number;
  /** Who gets it. */
  readonly to: number;
  /** By which configuration. */
  readonly configuration: number;
  /** `copying`: it is served by `from` meanwhile. `frozen`: by nobody. `done`: by `to`. */
  readonly phase: "copying" | "frozen" | "done";
  /** Bytes that have arrived of the copy under way: first of all of it, then of what changed since. */
  readonly copied: number;
  /** Bytes of all of that copy; null as long as the giver has not said so. */
  readonly total: number | null;
}

/** An event of a sharded store. */
export type ShardedEvent<K extends keyof ShardedEvents> = CustomEvent<ShardedEvents[K]>;

/** Hears one kind of event. */
export type ShardedListener<K extends keyof ShardedEvents> = (event: ShardedEvent<K>) => void;

/** What of a store means keys that are named one by one. */
type ByKey<V> = Pick<
  Kv<V>,
  "put" | "attach" | "get" | "delete" | "append" | "compareAndSwap" | "increment" | "txn"
>;

/**
 * A store whose keys are on many shards. Everything that is named by its key is as in `Kv`, linearizable for each key, and
 * revisions count for each shard by itself. A transaction is of one shard: `CROSS_SHARD` names the keys that are not. A lock, or
 * whatever else `Recipes` has, is in the shard of its name.
 */
export interface ShardedKv<V> extends ByKey<V>, Recipes {
  /**
   * The shard that has `key`, as a store of its own, with all that a store has: transactions, ranges, watches and leases of
   * what is in that shard. A key of another shard is refused, `CROSS_SHARD`.
   */
  in(key: Key): Kv<V>;
  /**
   * The entries of a range, in order, from all shards that may have some. Those of one shard are as of one revision; those of
   * different shards are not: a change in one may be there, and one before it in another not.
   */
  range<T extends V = V>(
    range?: ShardedRangeOptions,
    options?: Omit<ReadOptions, "revision">,
  ): Promise<ShardedRangeResult<T>>;
  /**
   * Removes the keys of a range, in each shard by itself. If it fails with the outcome `"unknown"`, it may have been done in some
   * shards. All keys must be asked for by `{ prefix: "" }`.
   */
  deleteRange<T extends V = V>(
    range: RangeSelection,
    options?: DeleteOptions,
  ): Promise<{
    readonly deleted: number;
    /** In key order; only with `previous`. */
    readonly previous: readonly KeyedEntry<T>[] | undefined;
  }>;
  /**
   * Tells of every change of the keys, each once, those of one shard in their order, whatever moves. Changes of different shards come
   * in any order.
   */
  watch<T extends V = V>(
    selection?: Key | RangeSelection,
    options?: ShardedWatchOptions,
  ): ShardedWatch<T>;
  /** The same store with another codec. */
  as<C extends Codec>(codec: C): ShardedKv<CodecValues[C]>;
  as<W>(codec: CustomCodec<W>): ShardedKv<W>;
}

/** Which keys, and what of them. Revisions of different shards have nothing to do with one another, so they are no order and no bound. */
export interface ShardedRangeOptions
  extends Pick<RangeOptions, "prefix" | "start" | "end" | "limit" | "only" | "descending"> {
  /** By what the entries are ordered; equal ones by key. Default `"key"`. */
  readonly orderBy?: "key" | "version" | "value";
}

/** Part of the store. */
export interface ShardedRangeResult<V> {
  /** The entries, in the order that was asked for; none with `only: "count"`. */
  readonly entries: readonly KeyedEntry<V>[];
  /** How many keys the range has, whatever the limit. */
  readonly count: number;
  /** Whether `limit`, or the size of the answer, left entries out. */
  readonly more: boolean;
  /** The `start` of what was left out, where the order is that of keys, and not descending. */
  readonly next: Uint8Array | undefined;
}

/** What a watch over shards takes. */
export interface ShardedWatchOptions extends Omit<WatchOptions, "from" | "progress"> {
  /** Goes on where another one was: its `positions`. */
  readonly from?: readonly number[];
}

/** A change, and in which shard. */
export type ShardedWatchEvent<V> = Exclude<WatchEvent<V>, { readonly type: "progress" }> & {
  /** The shard, to which the revisions belong. */
  readonly shard: number;
};

/** A watch over shards: an iterable of changes that does not end by itself. */
export interface ShardedWatch<V>
  extends AsyncIterableIterator<ShardedWatchEvent<V>, undefined, undefined> {
  /** Resolves when it hears of every change from then on. */
  readonly ready: Promise<void>;
  /**
   * For each shard, the revision from which another watch goes on, once this one is `ready`. Of a revision that has several
   * changes, all are told again.
   */
  readonly positions: readonly number[];
  /** Ends it. */
  close(): void;
  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The way in. */
export interface ShardedClusterFactory {
  /**
   * Starts a sharded store, or brings one back from its storage. Resolves when its nodes run and its groups are known. Fails as
   * `Cluster.open` does, and with `SHARD_COUNT` if it was founded with another number of shards.
   */
  open(options: ShardedClusterOptions): Promise<ShardedCluster>;
}
