/**
 * What the map of a job with a `compare` emits. The engine sorts by bytes: pairs are sorted here, and stored under the number of
 * their place, each with its key before its value.
 */

import { decode } from "../machine/codec.js";
import { Batch, checkKey, valueBytes } from "./batch.js";
import type { Engine } from "./engine.js";
import { JobError } from "./errors.js";
import { combined, combinedBytes, type Pairs, type PairsParts, partitionOf } from "./pairs.js";
import type { RunFile } from "./runs.js";
import type { PairValue } from "./types.js";
import type { AnyJob } from "./user-job.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A pair; the value as it is stored. */
export interface OrderedPair {
  readonly key: string;
  readonly value: Uint8Array;
}

export class OrderedPairs implements Pairs {
  readonly #parts: PairsParts;
  readonly #order: Order;
  readonly #held: OrderedPair[][];
  #bytes = 0;

  constructor(parts: PairsParts) {
    this.#parts = parts;
    this.#order = orderOf(parts.job);
    this.#held = Array.from({ length: parts.partitions }, () => []);
  }

  add(key: string, value: PairValue): void {
    const { engine, job, partitions, memory } = this.#parts;
    checkKey(key);
    const stored = valueBytes(value);
    const partition =
      partitionOf(job, key, partitions) ?? engine.partitionOf(encoder.encode(key), partitions);
    this.#held[partition]?.push({ key, value: stored });
    this.#bytes += 2 * key.length + stored.length + PAIR_BYTES;
    // What is being written is there twice.
    if (this.#bytes > memory / 2) this.finish();
  }

  finish(): void {
    const { engine, partitions, memory, file } = this.#parts;
    if (file !== undefined && this.#bytes > 0) {
      const writer = new OrderedWriter(engine, file, partitions, memory);
      try {
        for (const [partition, pairs] of this.#held.entries()) {
          pairs.sort((first, second) => this.#order(first.key, second.key));
          for (const pair of this.#combined(pairs)) writer.add(partition, pair);
        }
        writer.finish();
      } finally {
        writer.free();
      }
    }
    for (const pairs of this.#held) pairs.length = 0;
    this.#bytes = 0;
  }

  free(): void {}

  *#combined(pairs: readonly OrderedPair[]): Iterable<OrderedPair> {
    const { job, context } = this.#parts;
    if (job.combine === undefined) return yield* pairs;
    for (let at = 0, end = 0; at < pairs.length; at = end) {
      const { key } = pairs[at] as OrderedPair;
      for (end = at + 1; end < pairs.length; end++)
        if (this.#order(key, (pairs[end] as OrderedPair).key) !== 0) break;
      const values = pairs.slice(at, end).map(({ value }) => decode(value) as PairValue);
      yield { key, value: combinedBytes(combined(job, key, values, context)) };
    }
  }
}

/** Writes pairs in the order in which they are given: as few runs as there is memory for. */
export class OrderedWriter {
  readonly #file: RunFile;
  readonly #collector: InstanceType<Engine["PairCollector"]>;
  readonly #batch = new Batch();
  readonly #place = new DataView(new ArrayBuffer(8));
  #count = 0;

  constructor(engine: Engine, file: RunFile, partitions: number, memory: number) {
    this.#file = file;
    this.#collector = new engine.PairCollector(partitions, memory);
  }

  add(partition: number, { key, value }: OrderedPair): void {
    this.#place.setFloat64(0, this.#count++);
    const name = encoder.encode(key);
    const pair = new Uint8Array(KEY_BYTES + name.length + value.length);
    new DataView(pair.buffer).setUint32(0, name.length);
    pair.set(name, KEY_BYTES);
    pair.set(value, KEY_BYTES + name.length);
    this.#batch.addBytes(partition, new Uint8Array(this.#place.buffer), pair);
    if (this.#batch.isFull) this.#empty();
  }

  finish(): void {
    this.#empty();
    if (!this.#collector.isEmpty) this.#file.spill(this.#collector);
  }

  free(): void {
    this.#collector.free();
  }

  #empty(): void {
    for (let rest = this.#batch.take(); rest.length > 0; ) {
      rest = rest.subarray(this.#collector.add(rest));
      if (this.#collector.isFull) this.#file.spill(this.#collector);
    }
  }
}

/** A pair that was stored so. */
export function orderedPair(stored: Uint8Array): OrderedPair {
  const { buffer, byteOffset, length } = stored;
  const bytes = length < KEY_BYTES ? 0 : new DataView(buffer, byteOffset, length).getUint32(0);
  const at = KEY_BYTES + bytes;
  if (length < at) throw new JobError("SCRATCH_DAMAGED", "a pair is cut");
  return { key: decoder.decode(stored.subarray(KEY_BYTES, at)), value: stored.subarray(at) };
}

export type Order = (first: string, second: string) => number;

/** The job's own order, checked. */
export function orderOf(job: AnyJob): Order {
  return (first, second) => {
    let order: unknown;
    try {
      order = job.compare?.(first, second);
    } catch (error) {
      throw new JobError("JOB_THREW", `compare() threw: ${String(error)}`, { cause: error });
    }
    if (typeof order === "number" && !Number.isNaN(order)) return order;
    throw new JobError("JOB_INVALID", `compare() gave ${String(order)}, which is no number`);
  };
}

/** How long the key is, before it. */
const KEY_BYTES = 4;
/** About what a pair costs beside its bytes. */
const PAIR_BYTES = 128;
