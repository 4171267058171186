/**
 * The segments of a directory, read: what their rounds are, and which of them count. Writes nothing.
 *
 * Shared by who runs on a storage and by who only looks at one, so that both see the same.
 */

import { join } from "node:path";
import { quorateError } from "../errors.js";
import type { KeyRange, StoredRecord } from "./storage.js";

/** The record format, which is the core's. */
export interface SegmentCodec {
  sealRound(sequence: number, deletes: KeyRange[], puts: StoredRecord[]): Uint8Array;
  scanSegment(bytes: Uint8Array): {
    rounds: Round[];
    validBytes: number;
    torn: boolean;
  };
}

/** What was written at once. */
export interface Round {
  sequence: number;
  deletes: KeyRange[];
  puts: StoredRecord[];
}

/** What a segment holds. */
export interface Segment {
  readonly number: number;
  readonly file: string;
  readonly rounds: readonly Round[];
  /** Where its last round is cut off, if it is. */
  readonly tornAt: number | undefined;
}

/** The record of the storage itself: the oldest segment that is needed. Each segment begins with it. */
export const OLDEST = "segments/oldest";

export function segmentFile(directory: string, number: number): string {
  return join(directory, `segment-${String(number).padStart(12, "0")}.qr`);
}

/** The numbers of the segments among these files, ascending. */
export function segmentNumbers(names: readonly string[]): number[] {
  return names
    .flatMap((name) => /^segment-(\d{12})\.qr$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** Throws if a number between the first and `last` is missing. */
export function assertUnbroken(directory: string, numbers: readonly number[], last: number): void {
  for (let number = numbers[0] ?? last + 1; number <= last; number++)
    if (!numbers.includes(number)) throw segmentMissing(segmentFile(directory, number));
}

/** Throws if a segment is gone that the records still need. */
export function assertOldest(
  directory: string,
  first: number,
  records: ReadonlyMap<string, Uint8Array>,
): void {
  const oldest = Number(new TextDecoder().decode(records.get(OLDEST) ?? Uint8Array.of(0x31)));
  if (first > oldest) throw segmentMissing(segmentFile(directory, oldest));
}

/** Reads what a file holds; damage throws, with its place. */
export function scanned(
  codec: Pick<SegmentCodec, "scanSegment">,
  file: string,
  number: number,
  bytes: Uint8Array,
): Segment {
  try {
    const { rounds, validBytes, torn } = codec.scanSegment(bytes);
    return { number, file, rounds, tornAt: torn ? validBytes : undefined };
  } catch (error) {
    const { code, message, place } = error as { code?: string; message?: string; place?: string };
    throw quorateError(
      code === "STORAGE_VERSION" ? "STORAGE_VERSION" : "STORAGE_CORRUPT",
      `${file}, byte ${place ?? "unknown"}: ${message ?? String(error)}`,
      { place: `${file}@${place ?? ""}`, cause: error },
    );
  }
}

/**
 * The rounds of a segment that count: those up to `end`, the one with which the next segment goes on. `last` is the number
 * of the round before them, 0 if there is none.
 */
export function counted(segment: Segment, end: number | undefined, last: number): readonly Round[] {
  const { file, tornAt } = segment;
  const rounds: Round[] = [];
  let sequence = last;
  for (const round of segment.rounds) {
    if (round.sequence === end) break;
    if (sequence !== 0 && round.sequence !== sequence + 1)
      throw damaged(file, `round ${round.sequence} follows round ${sequence}`);
    sequence = round.sequence;
    rounds.push(round);
  }
  if (end !== undefined && end !== sequence + 1) {
    throw tornAt === undefined
      ? damaged(file, `round ${end} follows round ${sequence}`)
      : damaged(`${file}@${tornAt}`, "a round is cut off, but others follow");
  }
  return rounds;
}

function segmentMissing(file: string) {
  return damaged(file, "the segment is missing");
}

/** What is to be thrown where a file is not what was written. */
export function damaged(place: string, what: string) {
  return quorateError("STORAGE_CORRUPT", `${place}: ${what}`, { place });
}
