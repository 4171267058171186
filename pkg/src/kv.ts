/** The key-value store: arguments to bytes, a call, the answer to values. */

import { prefixEnd } from "../wasm/quorate_wasm.js";
import type { Answer, Calls } from "./calls.js";
import { integer, invalid, record, show } from "./check.js";
import { bytes, encodeKey, encodeValue, json, showKey, utf8, type ValueCodec } from "./codec.js";
import type {
  CallOptions,
  Codec,
  CodecValues,
  Entry,
  Json,
  Key,
  KeyedEntry,
  Kv,
  KvReads,
  RangeOptions,
  RangeResult,
  RangeSelection,
  SwapResult,
} from "./types.js";

/** The store with JSON values. */
export function kvStore(calls: Calls): Kv<Json> {
  return new Store(calls, json);
}

/** What of it is only read. */
export function kvReads(calls: Calls): KvReads<Json> {
  return readsOf(kvStore(calls));
}

function readsOf<V>(kv: Kv<V>): KvReads<V> {
  return Object.freeze({
    get: kv.get.bind(kv),
    range: kv.range.bind(kv),
    as: <C extends Codec>(codec: C) => readsOf(kv.as(codec)),
  }) as KvReads<V>;
}

class Store<V> implements Kv<V> {
  readonly #calls: Calls;
  readonly #codec: ValueCodec<V>;

  constructor(calls: Calls, codec: ValueCodec<V>) {
    this.#calls = calls;
    this.#codec = codec;
  }

  async put(key: Key, value: V, options: CallOptions = {}): Promise<{ revision: number }> {
    const [k, v] = [encodeKey(key, "the key"), encodeValue(this.#codec, value)];
    const { revision } = await this.#calls.run(options, (client, ms) => client.put(k, v, ms));
    return { revision };
  }

  async get<T extends V = V>(key: Key, options: CallOptions = {}): Promise<Entry<T> | null> {
    const k = encodeKey(key, "the key");
    return this.#hit<T>(await this.#calls.run(options, (client, ms) => client.get(k, ms)));
  }

  async delete(
    key: Key,
    options: CallOptions = {},
  ): Promise<{ deleted: boolean; revision: number }> {
    const k = encodeKey(key, "the key");
    const { number, revision } = await this.#calls.run(options, (client, ms) =>
      client.delete(k, ms),
    );
    return { deleted: number > 0, revision };
  }

  async append(key: Key, value: V, options: CallOptions = {}): Promise<{ revision: number }> {
    if (this.#codec.name === "json") {
      throw invalid('JSON values cannot be appended to; use kv.as("utf8") or kv.as("bytes")');
    }
    const [k, v] = [encodeKey(key, "the key"), encodeValue(this.#codec, value)];
    const { revision } = await this.#calls.run(options, (client, ms) => client.append(k, v, ms));
    return { revision };
  }

  async compareAndSwap<T extends V = V>(
    key: Key,
    expected: V | undefined,
    value: V | undefined,
    options: CallOptions = {},
  ): Promise<SwapResult<T>> {
    const k = encodeKey(key, "the key");
    const encode = (it: V | undefined) =>
      it === undefined ? undefined : encodeValue(this.#codec, it);
    const [e, v] = [encode(expected), encode(value)];
    const answer = await this.#calls.run(options, (client, ms) =>
      client.compareAndSwap(k, e, v, ms),
    );
    const { number, revision } = answer;
    return number === 1
      ? { swapped: true, revision }
      : { swapped: false, revision, current: this.#hit<T>(answer) };
  }

  async increment(
    key: Key,
    by = 1,
    options: CallOptions = {},
  ): Promise<{ value: number; revision: number }> {
    const k = encodeKey(key, "the key");
    const step = integer(by, '"by"', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    const { number, revision } = await this.#calls.run(options, (client, ms) =>
      client.increment(k, step, ms),
    );
    return { value: number, revision };
  }

  async range<T extends V = V>(
    range: RangeOptions = {},
    options: CallOptions = {},
  ): Promise<RangeResult<T>> {
    record(range, "the range", ["prefix", "start", "end", "limit", "only"]);
    const { start, end } = bounds(range);
    const limit =
      range.limit === undefined ? 0 : integer(range.limit, '"limit"', 1, Number.MAX_SAFE_INTEGER);
    const { only = "entries" } = range;
    const projection = PROJECTIONS.get(only);
    if (projection === undefined)
      throw invalid(`"only" is "entries", "keys" or "count", not ${show(only)}`);
    const answer = await this.#calls.run(options, (client, ms) =>
      client.range(start, end, limit, projection, ms),
    );
    const entries: KeyedEntry<T>[] = hits(answer).map(
      ([keyBytes, value, createRevision, modRevision, version]) => ({
        key: showKey(keyBytes),
        keyBytes,
        value: only === "entries" ? (this.#codec.decode(value) as T) : undefined,
        createRevision,
        modRevision,
        version,
      }),
    );
    const last = entries.at(-1)?.keyBytes;
    return {
      entries,
      count: answer.number,
      revision: answer.revision,
      next: answer.more && last !== undefined ? Uint8Array.of(...last, 0) : undefined,
    };
  }

  async deleteRange(
    range: RangeSelection,
    options: CallOptions = {},
  ): Promise<{ deleted: number; revision: number }> {
    record(range, "the range", ["prefix", "start", "end"]);
    if (range.prefix === undefined && range.start === undefined && range.end === undefined) {
      throw invalid('deleteRange wants to be told which keys; all of them are { prefix: "" }');
    }
    const { start, end } = bounds(range);
    const { number, revision } = await this.#calls.run(options, (client, ms) =>
      client.deleteRange(start, end, ms),
    );
    return { deleted: number, revision };
  }

  as<C extends Codec>(codec: C): Kv<CodecValues[C]> {
    return new Store(this.#calls, codecOf(codec) as ValueCodec<CodecValues[C]>);
  }

  #hit<T extends V>(answer: Answer): Entry<T> | null {
    const [first] = hits(answer);
    if (first === undefined) return null;
    const [, value, createRevision, modRevision, version] = first;
    return { value: this.#codec.decode(value) as T, createRevision, modRevision, version };
  }
}

/** As the core's client numbers them. */
const PROJECTIONS: ReadonlyMap<string, 0 | 1 | 2> = new Map([
  ["entries", 0],
  ["keys", 1],
  ["count", 2],
]);

function codecOf(
  codec: Codec,
): ValueCodec<never> | ValueCodec<Json> | ValueCodec<string> | ValueCodec<Uint8Array> {
  switch (codec) {
    case "json":
      return json;
    case "utf8":
      return utf8;
    case "bytes":
      return bytes;
    default:
      throw invalid(`a codec is "json", "utf8" or "bytes", not ${show(codec)}`);
  }
}

type Hit = readonly [
  key: Uint8Array,
  value: Uint8Array,
  created: number,
  modified: number,
  version: number,
];

function hits({ entries }: Answer): Hit[] {
  return Array.from(
    { length: entries.length / 5 },
    (_, at) => entries.slice(at * 5, at * 5 + 5) as unknown as Hit,
  );
}

/** The half-open interval that a selection means. */
function bounds({ prefix, start, end }: RangeSelection): {
  start: Uint8Array;
  end: Uint8Array | undefined;
} {
  const from = start === undefined ? new Uint8Array() : encodeKey(start, '"start"', "bound");
  const to = end === undefined ? undefined : encodeKey(end, '"end"', "bound");
  if (prefix === undefined) return { start: from, end: to };
  const first = encodeKey(prefix, '"prefix"', "bound");
  const beyond = prefixEnd(first);
  return {
    start: compare(from, first) > 0 ? from : first,
    end: to === undefined || (beyond !== undefined && compare(beyond, to) < 0) ? beyond : to,
  };
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
