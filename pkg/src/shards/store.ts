/** The store over all shards: what is named by its key goes to the shard that has it, the rest is asked of each, and merged. */

import type { Caller } from "../calls.js";
import { invalid, record, show } from "../check.js";
import { QuorateError, withOutcome } from "../errors.js";
import { compare } from "../kv/bytes.js";
import { codecOf, encodeKey, json, type ValueCodec } from "../kv/codec.js";
import { explicit, flagOf, intervalOf, oneOf, single } from "../kv/selection.js";
import { kvStore } from "../kv/store.js";
import type {
  Codec,
  CustomCodec,
  DeleteOptions,
  Json,
  KeyedEntry,
  Kv,
  Operation,
  PutOptions,
  RangeResult,
  RangeSelection,
  ReadOptions,
  Txn,
} from "../kv/types.js";
import type { Interval } from "../kv/wire.js";
import { MAX_TXN_DEPTH } from "../limits.js";
import * as recipes from "../recipes/index.js";
import { home } from "../recipes/name.js";
import type {
  HoldOptions,
  LeaderTaskOptions,
  QueueOptions,
  TaskFunction,
} from "../recipes/types.js";
import type { CallOptions, Key } from "../types.js";
import type { ShardedCalls } from "./calls.js";
import { limitOfEach, merged } from "./range.js";
import type {
  ShardedKv,
  ShardedRangeOptions,
  ShardedRangeResult,
  ShardedWatch,
  ShardedWatchOptions,
} from "./types.js";
import { MergedWatch } from "./watch.js";

/** The store with JSON values. */
export function shardedStore(calls: ShardedCalls, shards: number): ShardedKv<Json> {
  return new ShardedStore(new Views(calls, shards), json, "json");
}

/** Each shard as a store of its own, made when it is first asked for. */
class Views {
  readonly calls: ShardedCalls;
  readonly shards: number;
  readonly #views = new Map<number, { readonly kv: Kv<Json>; readonly once: Kv<Json> }>();

  constructor(calls: ShardedCalls, shards: number) {
    this.calls = calls;
    this.shards = shards;
  }

  /** The shard, whatever of it is meant. */
  of(shard: number): Kv<Json> {
    return this.#view(shard).kv;
  }

  /** The same, for what has to be in that shard as a whole: also a range in it that reaches beyond is refused. */
  whole(shard: number): Kv<Json> {
    return this.#view(shard).once;
  }

  #view(shard: number) {
    const known = this.#views.get(shard);
    if (known !== undefined) return known;
    const calls: Caller = this.calls.to(shard);
    const view = { kv: kvStore(calls), once: kvStore(this.calls, calls) };
    this.#views.set(shard, view);
    return view;
  }

  shardOf(key: Key): number {
    return this.calls.shardOf(encodeKey(key, "the key"));
  }

  /** The shards that may have keys of an interval. */
  within({ start, end }: Interval): readonly number[] {
    const one = this.calls.shardOfRange(start, end);
    return one === undefined ? Array.from({ length: this.shards }, (_, shard) => shard) : [one];
  }
}

class ShardedStore<V> implements ShardedKv<V> {
  readonly #views: Views;
  readonly #codec: ValueCodec<V>;
  /** As `Kv.as` takes it. */
  readonly #named: Codec | CustomCodec<V>;
  /** Of keys that are named: each call finds its shard by itself. */
  readonly #any: Kv<V>;

  constructor(views: Views, codec: ValueCodec<V>, named: Codec | CustomCodec<V>) {
    this.#views = views;
    this.#codec = codec;
    this.#named = named;
    this.#any = kvStore(views.calls).as(named as CustomCodec<V>);
    this.get = this.#any.get.bind(this.#any);
    this.delete = this.#any.delete.bind(this.#any);
    this.append = this.#any.append.bind(this.#any);
    this.compareAndSwap = this.#any.compareAndSwap.bind(this.#any);
    this.increment = this.#any.increment.bind(this.#any);
  }

  readonly get: Kv<V>["get"];
  readonly delete: Kv<V>["delete"];
  readonly append: Kv<V>["append"];
  readonly compareAndSwap: Kv<V>["compareAndSwap"];
  readonly increment: Kv<V>["increment"];

  async put<T extends V = V>(key: Key, value: V, options: PutOptions = {}) {
    // A lease is one of its shard.
    const kv = typeof options?.lease === "object" ? this.in(key) : this.#any;
    return kv.put<T>(key, value, options);
  }

  attach: Kv<V>["attach"] = async (key, lease, options) => this.in(key).attach(key, lease, options);

  async txn<T extends V = V>(txn: Txn<V>, options: CallOptions = {}) {
    record(txn, "a transaction", ["if", "do", "else"]);
    const first = firstKey(txn);
    const shard = first === undefined ? 0 : this.#views.shardOf(first);
    return this.#as(this.#views.whole(shard)).txn<T>(txn, options);
  }

  in(key: Key): Kv<V> {
    return this.#as(this.#views.of(this.#views.shardOf(key)));
  }

  async range<T extends V = V>(
    range: ShardedRangeOptions = {},
    options: Omit<ReadOptions, "revision"> = {},
  ): Promise<ShardedRangeResult<T>> {
    record(range, "the range", RANGE);
    record(options, "the call's options", ["signal", "timeout", "serializable"]);
    const { orderBy, only = "entries" } = range;
    if (orderBy !== undefined) oneOf(orderBy, '"orderBy"', ["key", "version", "value"]);
    const shards = this.#views.within(intervalOf(range));
    const limit = shards.length === 1 ? range.limit : limitOfEach(range, shards.length);
    // By values they are put in order here.
    const wanted = orderBy === "value" && only === "keys" ? "entries" : only;
    const asked = { ...range, only: wanted, ...(limit !== undefined && { limit }) };
    const answers: readonly RangeResult<Uint8Array>[] = await Promise.all(
      shards.map((shard) => this.#views.of(shard).as("bytes").range(asked, options)),
    );
    const { entries, ...rest } = merged(range, answers);
    return {
      entries: entries.map((entry) => this.#entry(entry, only === "entries")),
      ...rest,
    } as ShardedRangeResult<V> as ShardedRangeResult<T>;
  }

  async deleteRange<T extends V = V>(range: RangeSelection, options: DeleteOptions = {}) {
    const shards = this.#views.within(explicit(range, "deleteRange"));
    const withPrevious = flagOf(options.previous, '"previous"');
    const removed = await Promise.allSettled(
      shards.map((shard) => this.#as(this.#views.of(shard)).deleteRange<T>(range, options)),
    );
    const failed = removed.find((it) => it.status === "rejected");
    if (failed !== undefined) {
      const isPart = removed.some((it) =>
        it.status === "fulfilled" ? it.value.deleted > 0 : it.reason?.outcome === "unknown",
      );
      const { reason } = failed;
      throw isPart && reason instanceof QuorateError ? withOutcome(reason, "unknown") : reason;
    }
    const all = removed.flatMap((it) => (it.status === "fulfilled" ? [it.value] : []));
    const were = all.flatMap(({ previous }) => previous ?? []);
    were.sort((a, b) => compare(a.keyBytes, b.keyBytes));
    return {
      deleted: all.reduce((sum, { deleted }) => sum + deleted, 0),
      previous: withPrevious ? were : undefined,
    };
  }

  watch<T extends V = V>(
    selection: Key | RangeSelection = {},
    options: ShardedWatchOptions = {},
  ): ShardedWatch<T> {
    const isKey = typeof selection === "string" || selection instanceof Uint8Array;
    const shards = this.#views.within(isKey ? single(selection) : intervalOf(selection));
    const parts = shards.map((shard) => ({ shard, kv: this.#as(this.#views.of(shard)) }));
    const watch = new MergedWatch<V>(parts, this.#views.shards, selection, options);
    return watch as ShardedWatch<V> as ShardedWatch<T>;
  }

  lock(name: string, options?: HoldOptions) {
    return recipes.lock(...this.#home(name), options);
  }

  tryLock(name: string, options?: HoldOptions) {
    return recipes.tryLock(...this.#home(name), options);
  }

  election<T extends Json = Json>(name: string) {
    return recipes.election<T>(...this.#home(name));
  }

  semaphore(name: string, permits: number) {
    return recipes.semaphore(...this.#home(name), permits);
  }

  barrier(name: string) {
    return recipes.barrier(...this.#home(name));
  }

  doubleBarrier(name: string, participants: number) {
    return recipes.doubleBarrier(...this.#home(name), participants);
  }

  queue<T extends Json = Json>(name: string, options?: QueueOptions) {
    return recipes.queue<T>(...this.#home(name), options);
  }

  counter(name: string) {
    return recipes.counter(...this.#home(name));
  }

  leaderTask(name: string, run: TaskFunction, options?: LeaderTaskOptions) {
    return recipes.leaderTask(...this.#home(name), run, options);
  }

  as(codec: Codec | CustomCodec<unknown>): ShardedKv<never> {
    return new ShardedStore(
      this.#views,
      codecOf(codec),
      codec,
    ) as ShardedKv<unknown> as ShardedKv<never>;
  }

  /** Where a recipe is, and its name, which is a tag, or has one: all its keys have it, too. */
  #home(name: unknown): [Kv<Json>, string] {
    if (typeof name !== "string" || name === "")
      throw invalid(`the name of a recipe is text, not ${show(name)}`);
    const tagged = TAG.test(name) ? name : `{${name}}`;
    const { prefix } = home("recipe", tagged);
    return [this.#views.of(this.#views.shardOf(prefix)), tagged];
  }

  #as(kv: Kv<Json>): Kv<V> {
    return kv.as(this.#named as CustomCodec<V>);
  }

  #entry(entry: KeyedEntry<Uint8Array>, isWhole: boolean): KeyedEntry<V> {
    const { value, keyBytes } = entry;
    const isGiven = isWhole && value !== undefined;
    return { ...entry, value: isGiven ? this.#codec.decode(value, keyBytes) : undefined };
  }
}

/** What of a name decides where it is, if not all of it. */
const TAG = /^[^{]*\{[^}]+\}/;
const RANGE = ["prefix", "start", "end", "limit", "only", "orderBy", "descending"];

/** A key that a transaction names, or where a range of it begins. What makes no sense is found out later. */
function firstKey<V>(txn: Txn<V>, depth = 1): Key | undefined {
  const some = <T>(list: readonly T[] | undefined, keyOf: (it: T) => Key | undefined) => {
    if (!Array.isArray(list)) return undefined;
    for (const it of list) {
      const key = typeof it === "object" && it !== null ? keyOf(it) : undefined;
      if (key !== undefined && key !== "") return key;
    }
    return undefined;
  };
  const ofOperation = (it: Operation<V>): Key | undefined => {
    const named = it.put ?? it.get ?? it.delete ?? it.increment ?? it.append ?? it.attach;
    const wide = it.range ?? it.deleteRange;
    const within = it.txn && depth <= MAX_TXN_DEPTH ? firstKey(it.txn, depth + 1) : undefined;
    return named ?? wide?.prefix ?? wide?.start ?? within;
  };
  return (
    some(txn.if, (it) => it.key ?? it.prefix ?? it.start) ??
    some(txn.do, ofOperation) ??
    some(txn.else, ofOperation)
  );
}
