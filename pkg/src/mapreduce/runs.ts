/**
 * A map attempt's file: its runs, one behind the other, and at its end where each of them ends. A run has a section for each
 * partition; a reduce reads the sections of its own.
 */

import { type GroupValue, valuesOf } from "./batch.js";
import type { Engine } from "./engine.js";
import { JobError } from "./errors.js";
import type { Scratch, ScratchReader, ScratchWriter } from "./scratch.js";

/** Something that gives a run in chunks, and then where its sections are. */
export interface Spilling {
  spill(): Uint8Array | undefined;
  index(): Float64Array | undefined;
}

/** Writes runs, and counts what each partition gets. */
export class RunFile {
  readonly sizes: number[];
  /** Pairs in all runs. */
  pairs = 0;
  readonly #writer: ScratchWriter;
  readonly #ends: number[] = [];
  #size = 0;

  constructor(writer: ScratchWriter, partitions: number) {
    this.#writer = writer;
    this.sizes = new Array<number>(partitions).fill(0);
  }

  /** Bytes of a run that is not complete yet. */
  write(bytes: Uint8Array): void {
    this.#writer.write(bytes);
    this.#size += bytes.length;
  }

  /** Writes what is left of a run. */
  spill(from: Spilling): void {
    for (let chunk = from.spill(); chunk !== undefined; chunk = from.spill()) this.write(chunk);
    const rows = from.index() ?? new Float64Array();
    for (let row = 0; row < rows.length; row += ROW) {
      const [partition = 0, , bytes = 0, pairs = 0] = rows.subarray(row, row + ROW);
      this.sizes[partition] = (this.sizes[partition] ?? 0) + bytes;
      this.pairs += pairs;
    }
    this.#ends.push(this.#size);
  }

  async close(): Promise<void> {
    const tail = new DataView(new ArrayBuffer(8 * this.#ends.length + 4));
    for (const [at, end] of this.#ends.entries()) tail.setFloat64(8 * at, end);
    tail.setUint32(8 * this.#ends.length, this.#ends.length);
    this.#writer.write(new Uint8Array(tail.buffer));
    await this.#writer.close();
  }

  abandon(): Promise<void> {
    return this.#writer.abandon();
  }
}

/** A part of an open file. */
export interface Section {
  readonly reader: ScratchReader;
  readonly offset: number;
  readonly bytes: number;
}

/** The sections of a partition, in the order in which they were written. */
export function sectionsOf(engine: Engine, reader: ScratchReader, partition: number): Section[] {
  const { trailerBytes } = engine.limits();
  const ahead = withEnd(reader);
  const count = view(ahead, reader.size - 4, 4).getUint32(0);
  const tail = view(ahead, reader.size - 4 - 8 * count, 8 * count);
  const sections: Section[] = [];
  for (let run = 0, start = 0; run < count; run++) {
    const end = tail.getFloat64(8 * run);
    const trailer = exact(ahead, end - trailerBytes, trailerBytes);
    const length = engine.indexBytes(trailer);
    const at = end - trailerBytes - length;
    const rows = engine.readIndex(exact(ahead, at, length), at - start);
    for (let row = 0; row < rows.length; row += ROW) {
      const [of, offset = 0, bytes = 0] = rows.subarray(row, row + ROW);
      if (of === partition) sections.push({ reader, offset: start + offset, bytes });
    }
    start = end;
  }
  return sections;
}

/** Reads the end of a file at once: in a browser each read is a way to another process. */
function withEnd(reader: ScratchReader): ScratchReader {
  const { size } = reader;
  const begin = Math.max(0, size - END_BYTES);
  const end = exact(reader, begin, size - begin);
  const read = (at: number, length: number) =>
    at < begin ? reader.read(at, length) : end.subarray(at - begin, at - begin + length);
  return { size, read, close: () => {} };
}

/** Gives sections to something that asks for their bytes. */
export class Feeder {
  readonly #sections: readonly Section[];
  readonly #fed: number[];

  constructor(sections: readonly Section[]) {
    this.#sections = sections;
    this.#fed = sections.map(() => 0);
  }

  /** The next bytes of a section; none at its end. */
  next(section: number): Uint8Array {
    const { reader, offset, bytes } = this.#sections[section] as Section;
    const fed = this.#fed[section] as number;
    const length = Math.min(FEED_BYTES, bytes - fed);
    this.#fed[section] = fed + length;
    return length === 0 ? NO_BYTES : exact(reader, offset + fed, length);
  }
}

/** The values of sections of a partition, in order. */
export function* mergedValues(
  engine: Engine,
  partition: number,
  sections: readonly Section[],
): Generator<GroupValue> {
  const merger = new engine.Merger(partition, sections.length);
  const feeder = new Feeder(sections);
  try {
    for (let step = merger.next(GROUP_BYTES); step !== undefined; step = merger.next(GROUP_BYTES)) {
      if (typeof step === "number") merger.feed(step, feeder.next(step));
      else yield* valuesOf(step);
    }
  } finally {
    merger.free();
  }
}

/** Makes one of sections that stand side by side, until they can be merged at once. */
export async function fewer(
  engine: Engine,
  all: readonly Section[],
  partition: number,
  scratch: Scratch,
  name: string,
  report: () => void,
): Promise<{ readonly parts: Section[]; readonly made: ScratchReader[] }> {
  const sections = [...all];
  const made: ScratchReader[] = [];
  const { fanInMax } = engine.limits();
  for (;;) {
    const sizes = Float64Array.from(sections, ({ bytes }) => bytes);
    const range = engine.nextMerge(sizes, fanInMax);
    if (range === undefined) return { parts: sections, made };
    const [first, end] = range;
    const some = sections.slice(first, end);
    const file = `${name}.t${made.length}`;
    const writer = await scratch.create(file);
    const compactor = new engine.Compactor(partition, some.length, partition + 1);
    try {
      const feeder = new Feeder(some);
      for (let step = compactor.run(); step !== undefined; step = compactor.run()) {
        if (typeof step === "number") compactor.feed(step, feeder.next(step));
        else writer.write(step);
        report();
      }
      const [, offset = 0, bytes = 0] = compactor.index() ?? [];
      await writer.close();
      const reader = await scratch.open(file);
      made.push(reader);
      sections.splice(first, end - first, { reader, offset, bytes });
    } catch (error) {
      await writer.abandon();
      throw error;
    } finally {
      compactor.free();
    }
  }
}

function view(reader: ScratchReader, at: number, length: number): DataView {
  const { buffer, byteOffset } = exact(reader, at, length);
  return new DataView(buffer, byteOffset, length);
}

function exact(reader: ScratchReader, at: number, length: number): Uint8Array {
  const bytes = at < 0 || length < 0 || at > reader.size ? NO_BYTES : reader.read(at, length);
  if (bytes.length === length) return bytes;
  throw new JobError("SCRATCH_DAMAGED", "a file of the scratch storage was cut");
}

/** Numbers for each section of an index: partition, offset, bytes, pairs. */
const ROW = 4;
const NO_BYTES = new Uint8Array(0);
const FEED_BYTES = 256 << 10;
/** Of most files all that is said of where things are is in so many last bytes. */
const END_BYTES = 16 << 10;
/** About how many bytes of values cross at once. */
export const GROUP_BYTES = 128 << 10;
