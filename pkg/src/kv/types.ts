/// <reference lib="esnext.disposable" />
/** The public shapes of the store: what a caller gives and gets. No code. */

import type { Recipes } from "../recipes/types.js";
import type { CallOptions, Key } from "../types.js";

/** A value that survives JSON. Fields that are undefined are left out. Interfaces are none, since they can grow: use `type`. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/** How values become bytes: by name, or in the caller's own way. */
export type Codec = "json" | "utf8" | "bytes";

/** A caller's own way from values to bytes and back. Both functions may throw; the call then fails with `ENCODING`. */
export interface CustomCodec<V> {
  /** A value as bytes, at most 1 MiB. */
  encode(value: V): Uint8Array;
  /** The value that such bytes stand for. */
  decode(bytes: Uint8Array): V;
}

/** What a codec's values are in JavaScript. */
export interface CodecValues {
  /** Whatever survives `JSON.stringify`. */
  json: Json;
  /** Text. */
  utf8: string;
  /** Bytes as they are. */
  bytes: Uint8Array;
}

/** The numbers of a key. */
export interface Meta {
  /** The revision of the change that created the key. */
  readonly createRevision: number;
  /** The revision of its last change. */
  readonly modRevision: number;
  /** How often it changed since it was created; 1 when new. */
  readonly version: number;
  /** The id of the lease it hangs on; 0 is none. */
  readonly lease: number;
}

/** A key with its value and history. */
export interface Entry<V> extends Meta {
  /** What is stored, by the codec of the `kv` that was asked. */
  readonly value: V;
}

/** An entry with its key. */
export interface KeyedEntry<V> extends Meta {
  /** What is stored; undefined with `only: "keys"`. */
  readonly value: V | undefined;
  /** As text; bytes that are no UTF-8 show as U+FFFD. */
  readonly key: string;
  /** The key as it is. */
  readonly keyBytes: Uint8Array;
}

/** What every read takes. */
export interface ReadOptions extends CallOptions {
  /**
   * Answer from what the asked node has, at once and without the others: fast, also without a majority, and perhaps
   * old. Default false: the answer is at least as new as any answer that anyone got before.
   */
  readonly serializable?: boolean;
  /** As of this revision, not as of now. `COMPACTED` if it is no longer kept, `FUTURE_REVISION` if there is none such. */
  readonly revision?: number;
}

/** What `put` takes. */
export interface PutOptions extends CallOptions {
  /** The lease to hang the key on, or "keep" for the one that it hangs on (the key must exist). Default: none. */
  readonly lease?: Lease | number | "keep";
  /** Also gives what was there. Default false. */
  readonly previous?: boolean;
}

/** What `delete` and `deleteRange` take. */
export interface DeleteOptions extends CallOptions {
  /** Also gives what was there. Default false. */
  readonly previous?: boolean;
}

/**
 * The store. Every call ends by its deadline, and fails only with a `QuorateError`. All but serializable reads are
 * linearizable, and every write takes effect once or not at all.
 */
export interface Kv<V> extends KvReads<V>, Recipes {
  /**
   * Stores a value. With `previous` the answer has what was there, or null. `KEY_TOO_LARGE` beyond 4,096 bytes, `VALUE_TOO_LARGE`
   * beyond 1 MiB, `LEASE_NOT_FOUND`; with `lease: "keep"` also `KEY_NOT_FOUND`.
   */
  put<T extends V = V>(
    key: Key,
    value: V,
    options?: PutOptions,
  ): Promise<{ readonly revision: number; readonly previous: Entry<T> | null | undefined }>;
  /** Hangs a key on a lease (0: on none) and leaves its value. `KEY_NOT_FOUND` where there is no such key, `LEASE_NOT_FOUND`. */
  attach(
    key: Key,
    lease: Lease | number,
    options?: CallOptions,
  ): Promise<{ readonly revision: number }>;
  /** Removes the key. */
  delete<T extends V = V>(
    key: Key,
    options?: DeleteOptions,
  ): Promise<{
    readonly deleted: boolean;
    readonly revision: number;
    readonly previous: Entry<T> | null | undefined;
  }>;
  /**
   * Adds to the end of a value, or creates it. For `as("utf8")` and `as("bytes")` alone: values of other codecs have
   * no end. `VALUE_TOO_LARGE` if it would exceed 1 MiB.
   */
  append(key: Key, value: V, options?: CallOptions): Promise<{ readonly revision: number }>;
  /**
   * Stores `value` if the key holds exactly the bytes of `expected`. As `expected`, `undefined` means "absent";
   * as `value`, "remove". What else is there is no error: the answer says so.
   */
  compareAndSwap<T extends V = V>(
    key: Key,
    expected: V | undefined,
    value: V | undefined,
    options?: CallOptions,
  ): Promise<SwapResult<T>>;
  /**
   * Adds an integer to a number in decimal digits (an absent key counts as 0) and answers the sum. `NOT_AN_INTEGER` if it is none,
   * `OVERFLOW` beyond 64 bits, `NUMBER_TOO_LARGE` (it was added) beyond 2^53 - 1. Default 1.
   */
  increment(
    key: Key,
    by?: number,
    options?: CallOptions,
  ): Promise<{ readonly value: number; readonly revision: number }>;
  /** Removes the keys of a range. All keys must be asked for by `{ prefix: "" }`. With `previous`, `REPLY_TOO_LARGE` beyond 2 MiB. */
  deleteRange<T extends V = V>(
    range: RangeSelection,
    options?: DeleteOptions,
  ): Promise<{
    readonly deleted: number;
    readonly revision: number;
    /** In key order; only with `previous`. */
    readonly previous: readonly KeyedEntry<T>[] | undefined;
  }>;
  /**
   * Does several things as one: if all conditions hold, the operations of `do`, else those of `else`, in order, each
   * seeing what those before it did, all by one revision. If an operation fails, nothing happened, and the call fails with its
   * code, or with `DUPLICATE_KEY`, `TOO_MANY_OPERATIONS`, `VALUE_TOO_LARGE`, `REPLY_TOO_LARGE`.
   */
  txn<T extends V = V>(txn: Txn<V>, options?: CallOptions): Promise<TxnResult<T>>;
  /**
   * Tells of every change of the keys, in order, each once, whatever happens to nodes, leaders and connections. Begins
   * with the first change after this call, or with that of `from`.
   */
  watch<T extends V = V>(selection?: Key | RangeSelection, options?: WatchOptions): Watch<T>;
  /** Makes a lease. Keys that hang on it go when it ends. `LEASE_EXISTS` if the given id is taken, `BAD_LEASE`. */
  lease(options: LeaseOptions): Promise<Lease>;
  /** Looks at a lease. `LEASE_NOT_FOUND` where there is none, or no longer. */
  leaseStatus(id: Lease | number, options?: LeaseStatusOptions): Promise<LeaseStatus>;
  /**
   * Gives a sign of life for a lease, whoever made it. Resolves to how many milliseconds it lives from now.
   * `LEASE_NOT_FOUND` where there is none, or no longer.
   */
  renewLease(id: Lease | number, options?: CallOptions): Promise<number>;
  /** Ends a lease, whoever made it, and removes its keys. `LEASE_NOT_FOUND` where there is none, or no longer. */
  revokeLease(
    id: Lease | number,
    options?: CallOptions,
  ): Promise<{ readonly deleted: number; readonly revision: number }>;
  /** The ids of all leases. */
  leases(options?: CallOptions): Promise<readonly number[]>;
  /** Forgets what was before a revision: it, and what came after, can still be read. `COMPACTED` if it is forgotten, `FUTURE_REVISION`. */
  compact(revision: number, options?: CallOptions): Promise<void>;
  /** Says what is kept of the past from now on, in place of what was said before. */
  retain(retention: Retention, options?: CallOptions): Promise<void>;
  /** The same store with another codec. */
  as<C extends Codec>(codec: C): Kv<CodecValues[C]>;
  as<W>(codec: CustomCodec<W>): Kv<W>;
}

/** What can be read, also from one node alone (`cluster.node(2).kv`). */
export interface KvReads<V> {
  /** The entry, or null. `ENCODING` if its value is not of this codec. */
  get<T extends V = V>(key: Key, options?: ReadOptions): Promise<Entry<T> | null>;
  /**
   * The entries of a range, all as of one revision. An answer holds at most about 1 MiB; where that or `limit` cut it,
   * and the order is that of keys, `next` is where to go on. `ENCODING` if a value is not of this codec.
   */
  range<T extends V = V>(range?: RangeOptions, options?: ReadOptions): Promise<RangeResult<T>>;
  /** The same with another codec. */
  as<C extends Codec>(codec: C): KvReads<CodecValues[C]>;
  as<W>(codec: CustomCodec<W>): KvReads<W>;
}

/** Whether a compare-and-swap took place; if not, what stood in the way. */
export type SwapResult<V> =
  | { readonly swapped: true; readonly revision: number }
  | { readonly swapped: false; readonly revision: number; readonly current: Entry<V> | null };

/** Which keys: those with `prefix`, from `start` on, up to but without `end`. */
export interface RangeSelection {
  /** Keys that begin so; `""` is all. Does not go with `start` and `end`. */
  readonly prefix?: Key;
  /** The first key. Default: the first there is. */
  readonly start?: Key;
  /** The key before which it ends. Default: none, so up to the last. */
  readonly end?: Key;
}

/** Which keys, and what of them. Without `prefix`, `start` and `end`: all keys. */
export interface RangeOptions extends RangeSelection {
  /** At most so many entries. Default: as many as an answer holds. */
  readonly limit?: number;
  /** Whole entries, entries without their values, or no entries but their count. Default `"entries"`. */
  readonly only?: "entries" | "keys" | "count";
  /** By what the entries are ordered; equal ones by key. Default `"key"`. */
  readonly orderBy?: "key" | "createRevision" | "modRevision" | "version" | "value";
  /** The greatest first. Default false. */
  readonly descending?: boolean;
  /** Only entries that were changed last at this revision or later. Default of these four: no bound. */
  readonly minModRevision?: number;
  /** Only entries that were changed last at this revision or before. */
  readonly maxModRevision?: number;
  /** Only entries that were created at this revision or later. */
  readonly minCreateRevision?: number;
  /** Only entries that were created at this revision or before. */
  readonly maxCreateRevision?: number;
}

/** Part of the store as of one revision. */
export interface RangeResult<V> {
  /** The entries, in the order that was asked for; none with `only: "count"`. */
  readonly entries: readonly KeyedEntry<V>[];
  /** How many keys the range has, whatever the limit. */
  readonly count: number;
  /** The store's revision. */
  readonly revision: number;
  /** Whether `limit`, or the size of the answer, left entries out. */
  readonly more: boolean;
  /** The `start` of what was left out, where the order is that of keys, and not descending. */
  readonly next: Uint8Array | undefined;
}

/** A transaction: at most 128 conditions, and 128 operations in each branch, those of transactions within counted. */
export interface Txn<V> {
  /** All must hold. Default: nothing, which holds. */
  readonly if?: readonly Condition<V>[];
  /** Done if the conditions hold. Default: nothing. */
  readonly do?: readonly Operation<V>[];
  /** Done if they do not. Default: nothing. */
  readonly else?: readonly Operation<V>[];
}

/**
 * A condition on a key, or on every key of a range: one of `version`, `createRevision`, `modRevision`, `lease`, `value`.
 * A key that does not exist has the version, revisions and lease 0, and no value: `{ key: "a", version: 0 }` is "a does
 * not exist".
 */
export type Condition<V> = (
  | ({ readonly key: Key } & Without<keyof RangeSelection>)
  | (RangeSelection & Without<"key">)
) & {
  /** How the key must stand to what is given. Default `"="`. */
  readonly is?: "=" | "!=" | ">" | "<";
} & OneOf<{
    readonly version: { readonly version: number };
    readonly createRevision: { readonly createRevision: number };
    readonly modRevision: { readonly modRevision: number };
    readonly lease: { readonly lease: Lease | number };
    readonly value: { readonly value: V };
  }>;

/** One operation of a transaction. */
export type Operation<V> = OneOf<{
  readonly put: { readonly put: Key; readonly value: V } & Pick<PutOptions, "lease" | "previous">;
  readonly get: { readonly get: Key };
  readonly range: { readonly range: RangeOptions; readonly revision?: number };
  readonly delete: { readonly delete: Key } & Pick<DeleteOptions, "previous">;
  readonly deleteRange: { readonly deleteRange: RangeSelection } & Pick<DeleteOptions, "previous">;
  readonly increment: { readonly increment: Key; readonly by?: number };
  readonly append: { readonly append: Key; readonly value: V };
  readonly attach: { readonly attach: Key; readonly lease: Lease | number };
  readonly txn: { readonly txn: Txn<V> };
}>;

/** None of these fields. */
type Without<K extends PropertyKey> = { readonly [P in K]?: never };

/** One of these, which has none of the fields that the others are named by. */
type OneOf<All> = { [K in keyof All]: All[K] & Without<Exclude<keyof All, K>> }[keyof All];

/** What a transaction did. */
export interface TxnResult<V> {
  /** Whether the conditions held. */
  readonly succeeded: boolean;
  /** The store's revision; a new one only if something changed. */
  readonly revision: number;
  /** One for each operation of the branch that was taken. */
  readonly results: readonly OperationResult<V>[];
}

/** What an operation of a transaction did; which one it is, is known from its place. */
export type OperationResult<V> =
  | { readonly type: "put"; readonly previous: Entry<V> | null | undefined }
  | { readonly type: "get"; readonly entry: Entry<V> | null }
  | ({ readonly type: "range" } & Omit<RangeResult<V>, "revision">)
  | {
      readonly type: "delete";
      readonly deleted: number;
      readonly previous: readonly KeyedEntry<V>[] | undefined;
    }
  | { readonly type: "increment"; readonly value: number }
  | ({ readonly type: "txn" } & Omit<TxnResult<V>, "revision">);

/** What `watch` takes. */
export interface WatchOptions {
  /** Begin with this revision, not with the next: what was missed comes first. `COMPACTED` if it is no longer kept. */
  readonly from?: number;
  /** Events carry what was there before. Default false. */
  readonly previous?: boolean;
  /** Leave out events of one kind. */
  readonly only?: "put" | "delete";
  /** Also tells how far it has come when nothing changed. Default false. */
  readonly progress?: boolean;
  /**
   * How many events may wait to be taken, 1 to 1,000,000. Whoever takes them more slowly gets the rest from the past of the
   * store, as long as that is kept. Default 1,024.
   */
  readonly buffer?: number;
  /** Ends the watch with `ABORTED`. */
  readonly signal?: AbortSignal;
}

/** A change of a key. All changes of one revision come one after another, in key order. */
export type WatchEvent<V> =
  | ({ readonly type: "put"; readonly value: V } & ChangedKey<V>)
  | ({ readonly type: "delete" } & ChangedKey<V>)
  | {
      /** Everything up to `revision` has been told. */
      readonly type: "progress";
      readonly revision: number;
    };

/** What all changes tell. A deletion's `modRevision` is its own; its other numbers are 0. */
export interface ChangedKey<V> extends Meta {
  /** As text; bytes that are no UTF-8 show as U+FFFD. */
  readonly key: string;
  /** The key as it is. */
  readonly keyBytes: Uint8Array;
  /** What was there before, or null; only with the option `previous`. It is null, too, where it was compacted. */
  readonly previous: Entry<V> | null | undefined;
}

/**
 * Changes, one after another. Iterate it once. It ends by `close`, by leaving the loop, and with an error: `COMPACTED` when what
 * comes next is no longer kept (its `resumeFrom` is the first revision that is), `ABORTED`, `CLOSED`.
 */
export interface Watch<V> extends AsyncIterableIterator<WatchEvent<V>, undefined> {
  /**
   * Resolves to the first revision it tells of, once it is certain that nothing from there on will be missed as long as it is
   * kept. Rejects if the watch ends before.
   */
  readonly ready: Promise<number>;
  /** Ends it. Nothing more is told. */
  close(): void;
  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What `lease` takes. */
export interface LeaseOptions extends CallOptions {
  /** How many milliseconds it lives after a sign of life. At least 1. */
  readonly ttl: number;
  /** Its id, 1 to 2^53 - 1; `LEASE_EXISTS` if there is one. Default: the store chooses. */
  readonly id?: number;
  /** Give signs of life by itself, three in each `ttl`. Default true. */
  readonly keepAlive?: boolean;
}

/** A lease that this process made. */
export interface Lease {
  /** By which everyone knows it, 1 to 2^53 - 1. */
  readonly id: number;
  /** How many milliseconds it lives after a sign of life. */
  readonly ttl: number;
  /**
   * Aborted, with a `LEASE_LOST` as its reason, when the lease ended, or can have ended because no sign of life has been
   * confirmed within its `ttl`, by this process' own clock. Also aborted by `revoke`.
   */
  readonly lost: AbortSignal;
  /** Gives a sign of life. Resolves to how many milliseconds it lives from now. `LEASE_NOT_FOUND` if it has ended. */
  renew(options?: CallOptions): Promise<number>;
  /** Ends it, and removes its keys. Does nothing if it has ended. */
  revoke(options?: CallOptions): Promise<void>;
  /** As `revoke`, but gives up quietly where the store cannot be reached: the lease then ends by itself. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What `leaseStatus` takes. */
export interface LeaseStatusOptions extends CallOptions {
  /** Also the keys that hang on it. Default false. */
  readonly keys?: boolean;
}

/** A lease, as the store sees it. */
export interface LeaseStatus {
  /** Its id. */
  readonly id: number;
  /** How many milliseconds it lives after a sign of life. */
  readonly ttl: number;
  /** How many milliseconds it has to live. */
  readonly remaining: number;
  /** Only if asked for. */
  readonly keys: readonly Uint8Array[] | undefined;
}

/** What is kept of the past. */
export interface Retention {
  /** The changes of so many last revisions at most. 0: any number. Default 10,000. */
  readonly revisions?: number;
  /** Changes of at most so many last milliseconds. 0: of any age. Default 0. */
  readonly age?: number;
  /** Old keys and values of at most so many bytes. 0: any number. Default 16 MiB. */
  readonly bytes?: number;
}
