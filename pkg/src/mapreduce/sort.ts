/** Where the partitions of a sort are divided: by a sample of the records, so that each gets about as much. */

import { compare } from "../kv/bytes.js";
import type { Format } from "./protocol.js";
import type { ReadSource, Source } from "./source.js";

/** Boundaries in order, fewer than partitions. */
export async function boundariesOf(
  sources: readonly Source[],
  format: Format,
  partitions: number,
  read: ReadSource,
): Promise<Uint8Array[]> {
  const total = sources.reduce((sum, { size }) => sum + size, 0);
  const samples: Uint8Array[] = [];
  if (partitions > 1 && total > 0) {
    const step = Math.max(1, Math.ceil(total / PLACES));
    for (const source of sources) {
      const isWhole = source.kind === "url" && !source.parts;
      for (let at = 0; at < source.size; at += isWhole ? source.size : step) {
        const first = await firstChunk(read(source, at));
        samples.push(...recordsIn(first, format, at));
      }
    }
  }
  samples.sort(compare);
  const boundaries: Uint8Array[] = [];
  for (let partition = 1; partition < partitions; partition++) {
    const sample = samples[Math.floor((partition * samples.length) / partitions)];
    if (sample === undefined) break;
    const last = boundaries.at(-1);
    if (last === undefined || compare(last, sample) < 0) boundaries.push(sample);
  }
  return boundaries;
}

async function firstChunk(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  for await (const chunk of chunks) return chunk.subarray(0, SAMPLE_BYTES);
  return new Uint8Array(0);
}

/** The beginnings of some whole records in a part of an input. */
function recordsIn(bytes: Uint8Array, format: Format, at: number): Uint8Array[] {
  if (format.kind === "length") {
    const first = (format.length - (at % format.length)) % format.length;
    return [...Array(SAMPLES)].flatMap((_, number) => {
      const from = first + number * format.length;
      return from < bytes.length ? [bytes.slice(from, from + PREFIX_BYTES)] : [];
    });
  }
  const delimiter = format.kind === "delimiter" ? format.delimiter : Uint8Array.of(0x0a);
  const found: Uint8Array[] = [];
  let from = at === 0 ? 0 : after(bytes, delimiter, 0);
  while (from !== undefined && from < bytes.length && found.length < SAMPLES) {
    const next = after(bytes, delimiter, from);
    const end = next === undefined ? bytes.length : next - delimiter.length;
    found.push(bytes.slice(from, Math.min(end, from + PREFIX_BYTES)));
    from = next;
  }
  return found;
}

/** Where the bytes behind the next delimiter begin. */
function after(bytes: Uint8Array, delimiter: Uint8Array, from: number): number | undefined {
  for (let at = from; at + delimiter.length <= bytes.length; at++) {
    if (delimiter.every((byte, offset) => bytes[at + offset] === byte))
      return at + delimiter.length;
  }
  return undefined;
}

const PLACES = 64;
/** Records at each place. */
const SAMPLES = 32;
const SAMPLE_BYTES = 64 << 10;
/** What is compared of a record: a boundary need be no more. */
const PREFIX_BYTES = 16;
