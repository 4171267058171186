/** What a map emits, on its way to the attempt's file: sorted by the bytes of the keys, in the engine. */

import { show } from "../check.js";
import { messageOf } from "../machine/codec.js";
import { Batch, BY_HASH, checkKey, valueBytes } from "./batch.js";
import type { Engine } from "./engine.js";
import { JobError } from "./errors.js";
import { groupsOf } from "./groups.js";
import { GROUP_BYTES, type RunFile } from "./runs.js";
import type { PairValue, TaskContext } from "./types.js";
import type { AnyJob } from "./user-job.js";

/** Takes pairs, and writes them down when they are too many to hold. */
export interface Pairs {
  add(key: string, value: PairValue): void;
  /** Writes down what is left. */
  finish(): void;
  free(): void;
}

export interface PairsParts {
  readonly engine: Engine;
  readonly job: AnyJob;
  readonly partitions: number;
  /** How many bytes are held. */
  readonly memory: number;
  /** None: nothing is written. */
  readonly file: RunFile | undefined;
  readonly context: TaskContext;
}

export class BytePairs implements Pairs {
  readonly #parts: PairsParts;
  readonly #collector: InstanceType<Engine["PairCollector"]>;
  readonly #batch = new Batch();

  constructor(parts: PairsParts) {
    this.#parts = parts;
    this.#collector = new parts.engine.PairCollector(parts.partitions, parts.memory);
  }

  add(key: string, value: PairValue): void {
    const { job, partitions } = this.#parts;
    checkKey(key);
    this.addBytes(partitionOf(job, key, partitions), key, valueBytes(value));
  }

  /** A pair whose key was checked; the value as it is stored. */
  addBytes(partition: number | undefined, key: string, value: Uint8Array): void {
    this.#batch.add(partition ?? BY_HASH, key, value);
    if (this.#batch.isFull) this.#empty();
  }

  finish(): void {
    this.#empty();
    if (!this.#collector.isEmpty) this.#spill();
  }

  free(): void {
    this.#collector.free();
  }

  #empty(): void {
    for (let rest = this.#batch.take(); rest.length > 0; ) {
      rest = rest.subarray(this.#collector.add(rest));
      if (this.#collector.isFull) this.#spill();
    }
  }

  #spill(): void {
    const { job, file } = this.#parts;
    if (file === undefined) {
      while (this.#collector.spill() !== undefined);
      return;
    }
    if (job.combine !== undefined) this.#combine(file);
    file.spill(this.#collector);
  }

  /** Hands out all that was collected, and has what came of it written. */
  #combine(file: RunFile): void {
    const { job, context } = this.#parts;
    const batch = new Batch();
    const write = () => file.write(this.#collector.combined(batch.take()));
    for (const { partition, key, values } of groupsOf(() => this.#collector.groups(GROUP_BYTES))) {
      batch.add(partition, key, combinedBytes(combined(job, key, values, context)));
      if (batch.isFull) write();
    }
    write();
  }
}

/** What the job's `combine` makes of the values of a key. */
export function combined(
  job: AnyJob,
  key: string,
  values: Iterable<PairValue>,
  context: TaskContext,
): PairValue | undefined {
  try {
    return job.combine?.(key, values, context);
  } catch (error) {
    if (error instanceof JobError) throw error;
    throw new JobError("JOB_THREW", `combine() threw: ${String(error)}`, { cause: error });
  }
}

/** The same as it is stored. */
export function combinedBytes(value: PairValue | undefined): Uint8Array {
  try {
    return valueBytes(value);
  } catch (error) {
    // Of no one record.
    throw new JobError("JOB_INVALID", `combine() gave what is no value: ${messageOf(error)}`);
  }
}

/** Where the job says that a key belongs; nothing if it does not say. */
export function partitionOf(job: AnyJob, key: string, partitions: number): number | undefined {
  if (job.partition === undefined) return undefined;
  const chosen: unknown = job.partition(key, partitions);
  if (typeof chosen === "number" && Number.isInteger(chosen) && chosen >= 0 && chosen < partitions)
    return chosen;
  throw new JobError(
    "EMIT_INVALID",
    `partition() gave ${show(chosen)}, not a whole number below ${partitions}`,
  );
}
