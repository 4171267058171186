/** The key-value store: arguments to bytes, a call, the answer to values. */

import type { Caller } from "../calls.js";
import { integer, invalid, record } from "../check.js";
import { type Outcome, QuorateError, withOutcome } from "../errors.js";
import * as recipes from "../recipes/index.js";
import type {
  Barrier,
  Counter,
  DoubleBarrier,
  Election,
  HoldOptions,
  LeaderTask,
  LeaderTaskOptions,
  Lock,
  Queue,
  QueueOptions,
  Semaphore,
  TaskFunction,
} from "../recipes/types.js";
import type { CallOptions, Key } from "../types.js";
import { codecOf, encodeKey, encodeValue, json, type ValueCodec } from "./codec.js";
import { entryOf, rangeOf } from "./entries.js";
import { grantLease, leaseId } from "./lease.js";
import { expect, replyOf } from "./reply.js";
import { explicit, flagOf, rangeQuery, revisionOf, single } from "./selection.js";
import {
  appended,
  type Origin,
  type Prepared,
  prepareDelete,
  prepareIncrement,
  preparePut,
  prepareTxn,
} from "./txn.js";
import type {
  Codec,
  CodecValues,
  CustomCodec,
  DeleteOptions,
  Entry,
  Json,
  KeyedEntry,
  Kv,
  KvReads,
  Lease,
  LeaseOptions,
  LeaseStatus,
  LeaseStatusOptions,
  PutOptions,
  RangeOptions,
  RangeResult,
  RangeSelection,
  ReadOptions,
  Retention,
  SwapResult,
  Txn,
  TxnResult,
  Watch,
  WatchOptions,
} from "./types.js";
import { openWatch } from "./watch.js";
import { WatchHub } from "./watch-hub.js";
import * as wire from "./wire.js";

/** The store with JSON values. `home` is what its leases are known by. */
export function kvStore(calls: Caller, home: object = calls): Kv<Json> {
  const hub = new WatchHub((query, options, from) => ask(calls, query, options, from));
  return new Store({ calls, home, hub }, json);
}

/** What of it is only read. */
export function kvReads(calls: Caller): KvReads<Json> {
  return readsOf(new Store({ calls, home: calls, hub: undefined }, json));
}

function readsOf<V>(kv: Store<V>): KvReads<V> {
  return Object.freeze({
    get: kv.get.bind(kv),
    range: kv.range.bind(kv),
    as: (codec: Codec) => readsOf(kv.as(codec) as Store<CodecValues[Codec]>),
  }) as KvReads<V>;
}

/** A query and its reply; a refusal is thrown. */
async function ask(
  calls: Caller,
  query: Uint8Array,
  options: CallOptions,
  from: "any" | "own" | "waiting" = "any",
): Promise<wire.Reply> {
  return replyOf(await calls.read(query, options, from));
}

/** What of a call's options is the core's business, after a look at the rest. */
function limits(options: CallOptions, own: readonly string[] = []): CallOptions {
  record(options, "the call's options", ["signal", "timeout", ...own]);
  const { signal, timeout } = options;
  if (signal === undefined && timeout === undefined) return NO_LIMITS;
  return { ...(signal !== undefined && { signal }), ...(timeout !== undefined && { timeout }) };
}

const NO_LIMITS: CallOptions = Object.freeze({});

/** What a write answers. Where a value in it cannot be decoded, the write is over all the same. */
function given<R>(outcome: Outcome, read: () => R): R {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof QuorateError) || error.outcome !== undefined) throw error;
    throw withOutcome(error, outcome);
  }
}

/** What stores with different codecs share. */
interface Shared {
  readonly calls: Caller;
  /** What its leases are known by. */
  readonly home: object;
  /** None where only reads are given out. */
  readonly hub: WatchHub | undefined;
}

class Store<V> implements Kv<V> {
  readonly #shared: Shared;
  readonly #codec: ValueCodec<V>;
  readonly #origin: Origin<V>;

  constructor(shared: Shared, codec: ValueCodec<V>) {
    this.#shared = shared;
    this.#codec = codec;
    this.#origin = { codec, store: shared.home };
  }

  async put<T extends V = V>(key: Key, value: V, options: PutOptions = {}) {
    const bounds = limits(options, ["lease", "previous"]);
    const put = preparePut(this.#origin, key, value, options);
    const { revision, previous } = await this.#execute(put, bounds);
    return { revision, previous: previous as Entry<T> | null | undefined };
  }

  async attach(key: Key, lease: Lease | number, options: CallOptions = {}) {
    const id = this.#leaseId(lease);
    const command = wire.putWith(encodeKey(key, "the key"), undefined, id, false);
    const { meta } = expect(await this.#write(command, limits(options)), "put");
    return { revision: meta.modRevision };
  }

  async get<T extends V = V>(key: Key, options: ReadOptions = {}): Promise<Entry<T> | null> {
    const bounds = limits(options, ["serializable", "revision"]);
    const at = revisionOf(options.revision, '"revision"');
    const codec = this.#codec as ValueCodec<V> as ValueCodec<T>;
    if (at === 0) {
      const reply = await this.#read(wire.get(encodeKey(key, "the key")), bounds, options);
      return entryOf(codec, expect(reply, "got").record);
    }
    const none = [0, 0, 0, 0] as const;
    const settings = { at, limit: 0, projection: 0, order: 0, descending: false, bounds: none };
    const reply = await this.#read(wire.rangeWith(single(key), settings), bounds, options);
    return entryOf(codec, expect(reply, "range").records[0]);
  }

  async delete<T extends V = V>(key: Key, options: DeleteOptions = {}) {
    const bounds = limits(options, ["previous"]);
    const removal = prepareDelete(this.#codec, single(key), options.previous);
    const { deleted, revision, previous } = await this.#execute(removal, bounds);
    const [was = null] = previous ?? [];
    return {
      deleted: deleted > 0,
      revision,
      previous: (previous && was) as Entry<T> | null | undefined,
    };
  }

  async append(key: Key, value: V, options: CallOptions = {}): Promise<{ revision: number }> {
    const command = wire.append(encodeKey(key, "the key"), appended(this.#codec, value));
    const { meta } = expect(await this.#write(command, limits(options)), "written");
    return { revision: meta.modRevision };
  }

  async compareAndSwap<T extends V = V>(
    key: Key,
    expected: V | undefined,
    value: V | undefined,
    options: CallOptions = {},
  ): Promise<SwapResult<T>> {
    const k = encodeKey(key, "the key");
    if (expected === undefined && value === undefined) {
      throw invalid("a swap of nothing for nothing changes nothing; ask for the key instead");
    }
    const encode = (it: V | undefined) =>
      it === undefined ? undefined : encodeValue(this.#codec, it);
    const command = wire.swap(k, encode(expected), encode(value));
    const reply = await this.#write(command, limits(options));
    switch (reply.type) {
      case "written":
        return { swapped: true, revision: reply.meta.modRevision };
      case "deleted":
        return { swapped: true, revision: reply.revision };
      default: {
        const { revision, record } = expect(reply, "mismatch");
        const current = given("not-applied", () => entryOf(this.#codec, record));
        return { swapped: false, revision, current: current as Entry<T> | null };
      }
    }
  }

  async increment(key: Key, by = 1, options: CallOptions = {}) {
    return this.#execute(prepareIncrement(key, by), limits(options));
  }

  async range<T extends V = V>(
    range: RangeOptions = {},
    options: ReadOptions = {},
  ): Promise<RangeResult<T>> {
    const bounds = limits(options, ["serializable", "revision"]);
    const { query, form } = rangeQuery(range, revisionOf(options.revision, '"revision"'));
    const reply = expect(await this.#read(query, bounds, options), "range");
    return rangeOf(this.#codec, reply, form) as RangeResult<T>;
  }

  async deleteRange<T extends V = V>(range: RangeSelection, options: DeleteOptions = {}) {
    const bounds = limits(options, ["previous"]);
    const interval = explicit(range, "deleteRange");
    const removal = prepareDelete(this.#codec, interval, options.previous);
    const { deleted, revision, previous } = await this.#execute(removal, bounds);
    return { deleted, revision, previous: previous as readonly KeyedEntry<T>[] | undefined };
  }

  async txn<T extends V = V>(txn: Txn<V>, options: CallOptions = {}): Promise<TxnResult<T>> {
    const result = await this.#execute(prepareTxn(this.#origin, txn), limits(options));
    return result as TxnResult<V> as TxnResult<T>;
  }

  watch<T extends V = V>(
    selection: Key | RangeSelection = {},
    options: WatchOptions = {},
  ): Watch<T> {
    const { hub } = this.#shared;
    if (hub === undefined) throw invalid("one node alone has no watches");
    return openWatch(hub, this.#codec, selection, options) as Watch<V> as Watch<T>;
  }

  async lease(options: LeaseOptions): Promise<Lease> {
    const bounds = limits(options, ["ttl", "id", "keepAlive"]);
    const home = {
      store: this.#shared.home,
      write: (command: Uint8Array, within: CallOptions) => this.#write(command, within),
      onEnd: (hear: (error: QuorateError) => void) => this.#shared.calls.onEnd(hear),
    };
    return grantLease(home, options, bounds);
  }

  async leaseStatus(lease: Lease | number, options: LeaseStatusOptions = {}): Promise<LeaseStatus> {
    const bounds = limits(options, ["keys"]);
    const withKeys = flagOf(options.keys, '"keys"');
    const id = this.#leaseId(lease);
    const keys: Uint8Array[] = [];
    let from = withKeys ? new Uint8Array() : undefined;
    for (;;) {
      const reply = expect(await ask(this.#shared.calls, wire.lease(id, from), bounds), "lease");
      for (const key of reply.keys) keys.push(key.slice());
      if (reply.next === undefined) {
        const { ttlMs: ttl, leftMs: remaining } = reply;
        return { id, ttl, remaining, keys: withKeys ? keys : undefined };
      }
      from = reply.next.slice();
    }
  }

  async renewLease(lease: Lease | number, options: CallOptions = {}): Promise<number> {
    const command = wire.leaseKeepAlive(this.#leaseId(lease));
    return expect(await this.#write(command, limits(options)), "lease").leftMs;
  }

  async revokeLease(lease: Lease | number, options: CallOptions = {}) {
    const command = wire.leaseRevoke(this.#leaseId(lease));
    const { count, revision } = expect(await this.#write(command, limits(options)), "deleted");
    return { deleted: count, revision };
  }

  async leases(options: CallOptions = {}): Promise<readonly number[]> {
    const bounds = limits(options);
    const all: number[] = [];
    let from = 0;
    do {
      const reply = expect(await ask(this.#shared.calls, wire.leases(from), bounds), "leases");
      all.push(...reply.ids);
      from = reply.next;
    } while (from !== 0);
    return all;
  }

  async compact(revision: number, options: CallOptions = {}): Promise<void> {
    const to = integer(revision, "the revision", 0, Number.MAX_SAFE_INTEGER);
    await this.#write(wire.compact(to), limits(options));
  }

  async retain(retention: Retention, options: CallOptions = {}): Promise<void> {
    record(retention, "what is kept", ["revisions", "age", "bytes"]);
    const { revisions = DEFAULT_REVISIONS, age = 0, bytes = DEFAULT_BYTES } = retention;
    const most = (value: unknown, what: string) => integer(value, what, 0, Number.MAX_SAFE_INTEGER);
    const command = wire.setRetention(
      most(revisions, '"revisions"'),
      most(age, '"age"'),
      most(bytes, '"bytes"'),
    );
    await this.#write(command, limits(options));
  }

  lock(name: string, options?: HoldOptions): Promise<Lock> {
    return recipes.lock(this, name, options);
  }

  tryLock(name: string, options?: HoldOptions): Promise<Lock | null> {
    return recipes.tryLock(this, name, options);
  }

  election<T extends Json = Json>(name: string): Election<T> {
    return recipes.election<T>(this, name);
  }

  semaphore(name: string, permits: number): Semaphore {
    return recipes.semaphore(this, name, permits);
  }

  barrier(name: string): Barrier {
    return recipes.barrier(this, name);
  }

  doubleBarrier(name: string, participants: number): DoubleBarrier {
    return recipes.doubleBarrier(this, name, participants);
  }

  queue<T extends Json = Json>(name: string, options?: QueueOptions): Queue<T> {
    return recipes.queue<T>(this, name, options);
  }

  counter(name: string): Counter {
    return recipes.counter(this, name);
  }

  leaderTask(name: string, run: TaskFunction, options?: LeaderTaskOptions): LeaderTask {
    return recipes.leaderTask(this, name, run, options);
  }

  as<C extends Codec>(codec: C): Kv<CodecValues[C]>;
  as<W>(codec: CustomCodec<W>): Kv<W>;
  as(codec: Codec | CustomCodec<unknown>): Kv<never> {
    return new Store(this.#shared, codecOf(codec) as ValueCodec<never>);
  }

  #leaseId(lease: Lease | number): number {
    return leaseId(lease, "the lease", this.#shared.home);
  }

  async #execute<R>({ command, read }: Prepared<R>, options: CallOptions): Promise<R> {
    const reply = replyOf(await this.#shared.calls.write(command, options));
    return given("applied", () => read(reply));
  }

  async #write(command: Uint8Array, options: CallOptions): Promise<wire.Reply> {
    return replyOf(await this.#shared.calls.write(command, options));
  }

  #read(query: Uint8Array, bounds: CallOptions, options: ReadOptions): Promise<wire.Reply> {
    const own = flagOf(options.serializable, '"serializable"');
    return ask(this.#shared.calls, query, bounds, own ? "own" : "any");
  }
}

/** What the store keeps where nobody said otherwise. */
const DEFAULT_REVISIONS = 10_000;
const DEFAULT_BYTES = 16 << 20;
