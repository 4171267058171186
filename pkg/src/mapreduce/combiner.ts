/** Puts values of a key together as they are emitted: what is frequent is not stored and sorted again and again. */

import { checkKey, valueBytes } from "./batch.js";
import {
  BytePairs,
  combined,
  combinedBytes,
  type Pairs,
  type PairsParts,
  partitionOf,
} from "./pairs.js";
import type { PairValue } from "./types.js";

/** A value that nobody can change: to keep it is to keep it as it is now. */
type Fixed = string | number | boolean | null;

interface Entry {
  readonly partition: number | undefined;
  /** In the order in which they were emitted. */
  readonly values: Fixed[];
}

export class Combiner implements Pairs {
  readonly #parts: PairsParts;
  readonly #pairs: BytePairs;
  readonly #entries = new Map<string, Entry>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(parts: PairsParts) {
    this.#parts = parts;
    this.#maxBytes = Math.min(parts.memory / 4, BYTES_MAX);
    this.#pairs = new BytePairs({ ...parts, memory: parts.memory - this.#maxBytes });
  }

  add(key: string, value: PairValue): void {
    const entry = this.#entries.get(key) ?? this.#begin(key);
    if (isFixed(value)) {
      this.#bytes += sizeOf(value);
      entry.values.push(value);
      if (entry.values.length >= VALUES_MAX) this.#shorten(key, entry);
    } else {
      this.#passOn(key, entry);
      this.#pairs.addBytes(entry.partition, key, valueBytes(value));
    }
    if (this.#bytes >= this.#maxBytes) this.#empty();
  }

  finish(): void {
    this.#empty();
    this.#pairs.finish();
  }

  free(): void {
    this.#pairs.free();
  }

  #begin(key: string): Entry {
    const { job, partitions } = this.#parts;
    checkKey(key);
    const entry = { partition: partitionOf(job, key, partitions), values: [] };
    this.#entries.set(key, entry);
    this.#bytes += ENTRY_BYTES + 2 * key.length;
    return entry;
  }

  #empty(): void {
    for (const [key, entry] of this.#entries) this.#passOn(key, entry);
    this.#entries.clear();
    this.#bytes = 0;
  }

  #shorten(key: string, entry: Entry): void {
    const { job, context } = this.#parts;
    const { values } = entry;
    const one = combined(job, key, values.values(), context);
    for (const value of values) this.#bytes -= sizeOf(value);
    values.length = 0;
    if (isFixed(one)) {
      values.push(one);
      this.#bytes += sizeOf(one);
    } else this.#pairs.addBytes(entry.partition, key, combinedBytes(one));
  }

  #passOn(key: string, { partition, values }: Entry): void {
    const { job, context } = this.#parts;
    const [first] = values;
    if (first === undefined) return;
    const bytes =
      values.length === 1
        ? valueBytes(first)
        : combinedBytes(combined(job, key, values.values(), context));
    for (const value of values) this.#bytes -= sizeOf(value);
    values.length = 0;
    this.#pairs.addBytes(partition, key, bytes);
  }
}

/** What is long, and what is refused where it is stored, goes there at once. */
const isFixed = (value: unknown): value is Fixed =>
  (typeof value === "number" && Number.isFinite(value)) ||
  (typeof value === "string" && value.length <= LENGTH_MAX) ||
  typeof value === "boolean" ||
  value === null;

const sizeOf = (value: Fixed) => 8 + (typeof value === "string" ? 2 * value.length : 0);

/** About what a key costs beside its letters. */
const ENTRY_BYTES = 128;
const BYTES_MAX = 16 << 20;
/** So many values of a key are put together at the latest. */
const VALUES_MAX = 64;
const LENGTH_MAX = 1 << 16;
