/** One watch over many shards: each is watched by itself, and what they tell comes in the order in which it is heard. */

import { integer, invalid, record } from "../check.js";
import type { QuorateError } from "../errors.js";
import type { Kv, RangeSelection, Watch, WatchEvent } from "../kv/types.js";
import type { Key } from "../types.js";
import type { ShardedWatch, ShardedWatchEvent, ShardedWatchOptions } from "./types.js";

/** A shard, as a store. */
export interface Part<V> {
  readonly shard: number;
  readonly kv: Kv<V>;
}

type Event<V> = ShardedWatchEvent<V>;
type Result<V> = IteratorResult<Event<V>, undefined>;

/** Each shard's own watch keeps what waits; here is at most one change of each. */
export class MergedWatch<V> implements ShardedWatch<V> {
  readonly ready: Promise<void>;
  readonly #watches: readonly Watch<V>[];
  readonly #positions: number[];
  /** What was heard and not taken, and how to have its shard go on. */
  readonly #heard: { readonly event: Event<V>; readonly more: () => void }[] = [];
  readonly #takers: { resolve(result: Result<V>): void; reject(error: unknown): void }[] = [];
  #ended = false;
  #error: unknown;

  constructor(
    parts: readonly Part<V>[],
    shards: number,
    selection: Key | RangeSelection,
    options: ShardedWatchOptions,
  ) {
    record(options, "the options of a watch", ["from", "previous", "only", "buffer", "signal"]);
    const { from, buffer = DEFAULT_BUFFER, ...rest } = options;
    integer(buffer, '"buffer"', 1, 1_000_000);
    if (from !== undefined) checkPositions(from, shards);
    this.#positions = from === undefined ? new Array<number>(shards).fill(0) : [...from];
    const each = Math.max(1, Math.ceil(buffer / parts.length));
    this.#watches = parts.map(({ shard, kv }) => {
      // 0 stands where a shard was not watched.
      const start = from?.[shard] || undefined;
      return kv.watch(selection, { ...rest, buffer: each, ...(start && { from: start }) });
    });
    const begun = this.#watches.map(async (watch, at) => {
      const revision = await watch.ready;
      const shard = parts[at]?.shard ?? 0;
      this.#positions[shard] ||= revision;
    });
    this.ready = Promise.all(begun).then(() => {});
    // Whoever does not wait for it hears of the failure from the events.
    this.ready.catch(() => {});
    for (const [at, watch] of this.#watches.entries()) this.#pull(watch, parts[at]?.shard ?? 0);
  }

  get positions(): readonly number[] {
    return [...this.#positions];
  }

  next(): Promise<Result<V>> {
    return new Promise((resolve, reject) => {
      const heard = this.#heard.shift();
      if (heard !== undefined) {
        this.#give({ resolve }, heard.event);
        heard.more();
      } else if (this.#error !== undefined) {
        const error = this.#error;
        this.#error = undefined;
        reject(error);
      } else if (this.#ended) resolve(DONE);
      else this.#takers.push({ resolve, reject });
    });
  }

  async return(): Promise<Result<V>> {
    this.close();
    return DONE;
  }

  close(): void {
    this.#heard.length = 0;
    this.#error = undefined;
    this.#end();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #pull(watch: Watch<V>, shard: number): void {
    const more = () => this.#pull(watch, shard);
    watch.next().then(
      ({ done, value }) => {
        // No marks were asked for.
        if (done || this.#ended || value.type === "progress") return;
        const event = { ...value, shard } as Exclude<WatchEvent<V>, { type: "progress" }> & {
          readonly shard: number;
        };
        const taker = this.#takers.shift();
        if (taker === undefined) {
          this.#heard.push({ event, more });
          return;
        }
        this.#give(taker, event);
        more();
      },
      (error: QuorateError) => this.#fail(error, more),
    );
  }

  #give(taker: { resolve(result: Result<V>): void }, event: Event<V>): void {
    this.#positions[event.shard] = event.modRevision;
    taker.resolve({ done: false, value: event });
  }

  /** A value that cannot be decoded ends the loop, and not the watch. */
  #fail(error: QuorateError, more: () => void): void {
    if (this.#ended) return;
    const taker = this.#takers.shift();
    if (error.code === "ENCODING") {
      if (taker === undefined) this.#error ??= error;
      else taker.reject(error);
      more();
      return;
    }
    if (taker === undefined) this.#error = error;
    else taker.reject(error);
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const watch of this.#watches) watch.close();
    for (const taker of this.#takers.splice(0)) taker.resolve(DONE);
  }
}

const DEFAULT_BUFFER = 1_024;
const DONE = { done: true, value: undefined } as const;

function checkPositions(from: readonly number[], shards: number): void {
  if (!Array.isArray(from) || from.length !== shards)
    throw invalid(`"from" is what another watch had as its positions: ${shards} revisions`);
  for (const revision of from)
    integer(revision, 'a revision of "from"', 0, Number.MAX_SAFE_INTEGER);
}
