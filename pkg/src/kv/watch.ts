/** A watch: what the hub tells, kept until it is taken. */

import { onAbort } from "../abort.js";
import { abortedError } from "../bounded.js";
import { integer, invalid, record, signalOf } from "../check.js";
import { type QuorateError, quorateError } from "../errors.js";
import type { Key } from "../types.js";
import { compare } from "./bytes.js";
import type { ValueCodec } from "./codec.js";
import { showKey } from "./codec.js";
import { entryOf } from "./entries.js";
import { flagOf, intervalOf, oneOf, SELECTION, single } from "./selection.js";
import type { RangeSelection, Watch, WatchEvent, WatchOptions } from "./types.js";
import type { Position, Subscriber, WatchHub } from "./watch-hub.js";
import type { Change } from "./wire.js";

const OPTIONS = ["from", "previous", "only", "progress", "buffer", "signal"];
const DEFAULT_BUFFER = 1_024;
/** What waits to be taken, in bytes of keys and values; one event may have more. */
const BUFFER_BYTES = 4 << 20;

/** Begins a watch. */
export function openWatch<V>(
  hub: WatchHub,
  codec: ValueCodec<V>,
  selection: Key | RangeSelection,
  options: WatchOptions,
): Watch<V> {
  return new Subscription(hub, codec, selection, options);
}

/** Someone who waits for the next event. */
interface Taker<V> {
  resolve(result: IteratorResult<WatchEvent<V>, undefined>): void;
  reject(error: unknown): void;
}

class Subscription<V> implements Watch<V>, Subscriber {
  readonly ready: Promise<number>;
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly previous: boolean;
  position: Position = { revision: 0, key: undefined };
  readonly #hub: WatchHub;
  readonly #codec: ValueCodec<V>;
  readonly #capacity: number;
  readonly #progress: boolean;
  readonly #deaf: () => void;
  /** Settles `ready`. */
  #readied!: { resolve(revision: number): void; reject(why: QuorateError): void };
  /** What waits, as it came; values are decoded when they are taken. */
  readonly #events: Change[] = [];
  #eventBytes = 0;
  readonly #takers: Taker<V>[] = [];
  /** Whether the hub tells it things; not while it is full, nor at the end. */
  #joined = false;
  /** The revision up to which everything was told, and whether that is news. */
  #told = 0;
  /** Whether it is over, and the error that is still to be thrown. */
  #ended = false;
  #error: QuorateError | undefined;

  constructor(
    hub: WatchHub,
    codec: ValueCodec<V>,
    selection: Key | RangeSelection,
    options: WatchOptions,
  ) {
    record(options, "the options of a watch", OPTIONS);
    const isKey = typeof selection === "string" || selection instanceof Uint8Array;
    if (!isKey) record(selection, "what is watched", SELECTION);
    const { start, end } = isKey ? single(selection) : intervalOf(selection);
    if (end !== undefined && compare(start, end) >= 0)
      throw invalid("what is watched has no keys: the end is not behind the start");
    [this.start, this.end] = [start.slice(), end?.slice()];
    const { only, from, buffer = DEFAULT_BUFFER } = options;
    const signal = signalOf(options.signal);
    if (only !== undefined) oneOf(only, '"only"', ["put", "delete"]);
    [this.noPut, this.noDelete] = [only === "delete", only === "put"];
    this.previous = flagOf(options.previous, '"previous"');
    this.#progress = flagOf(options.progress, '"progress"');
    this.#capacity = integer(buffer, '"buffer"', 1, 1_000_000);
    if (from !== undefined) integer(from, '"from"', 1, Number.MAX_SAFE_INTEGER);
    this.#hub = hub;
    this.#codec = codec;
    const abort = () => signal && this.fail(abortedError(signal));
    this.#deaf = onAbort(signal, abort);
    this.ready = new Promise((resolve, reject) => {
      this.#readied = { resolve, reject };
    });
    // Whoever does not wait for it hears of the failure from the events.
    this.ready.catch(() => {});
    if (signal?.aborted) abort();
    else void this.#begin(from);
  }

  async #begin(from: number | undefined): Promise<void> {
    try {
      const revision = from ?? (await this.#hub.next());
      this.position = { revision, key: undefined };
      this.#told = revision - 1;
      this.#join();
      this.#readied.resolve(revision);
    } catch (error) {
      this.fail(error as QuorateError);
    }
  }

  get room(): number {
    return this.#capacity - this.#events.length;
  }

  take(change: Change): boolean {
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      this.#give(taker, change);
      return true;
    }
    const size = sizeOf(change);
    const full =
      this.#events.length >= this.#capacity ||
      (this.#events.length > 0 && this.#eventBytes + size > BUFFER_BYTES);
    if (full) {
      this.#joined = false;
      return false;
    }
    this.#events.push(change);
    this.#eventBytes += size;
    return true;
  }

  reached(): void {
    if (!this.#progress || this.#events.length > 0) return;
    const taker = this.#progressed() ? this.#takers.shift() : undefined;
    if (taker !== undefined) taker.resolve({ done: false, value: this.#mark() });
  }

  fail(error: QuorateError): void {
    if (this.#ended) return;
    this.#end(error);
    const taker = this.#takers.shift();
    if (taker === undefined) this.#error = error;
    else taker.reject(error);
    this.#dismiss();
  }

  next(): Promise<IteratorResult<WatchEvent<V>, undefined>> {
    return new Promise((resolve, reject) => {
      const taker = { resolve, reject };
      const change = this.#events.shift();
      if (change !== undefined) {
        this.#eventBytes -= sizeOf(change);
        this.#give(taker, change);
        if (!this.#joined && !this.#ended && this.#events.length * 2 <= this.#capacity)
          this.#join();
      } else if (this.#error !== undefined) {
        const error = this.#error;
        this.#error = undefined;
        reject(error);
      } else if (this.#ended) {
        resolve({ done: true, value: undefined });
      } else if (this.#progress && this.#progressed()) {
        resolve({ done: false, value: this.#mark() });
      } else {
        this.#takers.push(taker);
      }
    });
  }

  async return(): Promise<IteratorResult<WatchEvent<V>, undefined>> {
    this.close();
    return { done: true, value: undefined };
  }

  close(): void {
    this.#events.length = 0;
    this.#error = undefined;
    if (!this.#ended) this.#end(quorateError("ABORTED", "the watch was closed"));
    this.#dismiss();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #join(): void {
    if (this.#ended) return;
    this.#joined = true;
    this.#hub.join(this);
  }

  #end(why: QuorateError): void {
    this.#ended = true;
    this.#readied.reject(why);
    this.#joined = false;
    this.#hub.leave(this);
    this.#deaf();
  }

  #dismiss(): void {
    for (const taker of this.#takers.splice(0)) taker.resolve({ done: true, value: undefined });
  }

  /** Whether a mark would say more than the events did. */
  #progressed(): boolean {
    return this.position.revision - 1 > this.#told;
  }

  #mark(): WatchEvent<V> {
    this.#told = this.position.revision - 1;
    return { type: "progress", revision: this.#told };
  }

  /** A value that cannot be decoded ends the loop, and not the watch. */
  #give(taker: Taker<V>, change: Change): void {
    try {
      taker.resolve({ done: false, value: this.#event(change) });
    } catch (error) {
      taker.reject(error);
    }
  }

  #event({ deleted, record: changed, previous }: Change): WatchEvent<V> {
    const { key, value, createRevision, modRevision, version, lease } = changed;
    const shared = {
      key: showKey(key),
      keyBytes: key.slice(),
      createRevision,
      modRevision,
      version,
      lease,
      previous: this.previous ? entryOf(this.#codec, previous) : undefined,
    };
    return deleted
      ? { type: "delete", ...shared }
      : { type: "put", value: this.#codec.decode(value, key), ...shared };
  }
}

function sizeOf({ record, previous }: Change): number {
  const size = (it: Change["record"]) => it.key.length + it.value.length;
  return size(record) + (previous === undefined ? 0 : size(previous));
}
