/**
 * Storage in a directory of append-only segments, on Node. Runs in the node's thread.
 *
 * A round is one sealed record and one durable append. Segments are numbered without gaps. When the last
 * one is full, the next round begins a new one, and so does whoever opens the storage; at its beginning, the live
 * records of the oldest segments are carried over, as far as that is cheap, and those segments are removed, oldest first; a
 * few at a time, so that the end of a large snapshot's use is no long round.
 *
 * Why this is safe wherever it stops: an unfinished append can only be at the end of a run's last segment, and was never
 * acknowledged; a new segment counts only once it and its directory entry are durable; a segment is removed only when
 * every record in it was overwritten, deleted or carried over by what is durable; and removals are durable in order,
 * so that a record cannot outlive the one that deleted it.
 *
 * Why two cannot both write, even if the lock fails: only one can create the segment after the last one, and who opens
 * the storage does so before it reads. A writer looks for a successor of its segment after each append, and before
 * it acknowledges: if there is none, the opener will read what was written; if there is one, the writer stops. What it
 * appended in between is in a segment that nobody else appends to, and its rounds have numbers that the successor's
 * first round has, too, and which therefore end there.
 */

import { constants, readdirSync, statSync } from "node:fs";
import { type FileHandle, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { QuorateError, quorateError } from "../errors.js";
import { DURABLE_WRITES, isCode, makeDirectory, syncDirectory } from "./durable.js";
import {
  assertOldest,
  assertUnbroken,
  counted,
  damaged,
  OLDEST,
  type Round,
  type Segment,
  type SegmentCodec,
  scanned,
  segmentFile,
  segmentNumbers,
} from "./segments.js";
import type { KeyRange, Storage, StoredRecord } from "./storage.js";

export interface DirectoryLimits {
  /** A segment of this size gets no further rounds. */
  readonly segmentBytes: number;
  /** At most so many bytes are carried over at once. */
  readonly carryBytes: number;
  /** At most so many segments are removed at once, each durably: a round that begins a segment waits for that. */
  readonly removals: number;
}

/** A storage that can tell at any time whether it is still its user's. */
export interface CheckedStorage extends Storage {
  /** Throws if another opener took it over, or if it is gone. A write under way finds out by itself. */
  check(): void;
}

/** A storage in `path`, which is made if it does not exist. */
export function directoryStorage(
  path: string,
  codec: SegmentCodec,
  limits: DirectoryLimits = LIMITS,
): CheckedStorage {
  return new DirectoryStorage(path, codec, limits);
}

/** Where a live record lies. */
interface Place {
  readonly segment: number;
  readonly bytes: number;
  /** Where in the segment its round lies, if this run wrote it: one for all of its records. */
  readonly round: Span | undefined;
}

/** Bytes of a file. */
interface Span {
  readonly offset: number;
  readonly length: number;
}

/** What of a segment is live. */
interface Live {
  records: number;
  bytes: number;
  readonly rounds: Set<Span | undefined>;
}

class DirectoryStorage implements CheckedStorage {
  readonly #path: string;
  readonly #codec: SegmentCodec;
  readonly #limits: DirectoryLimits;
  readonly #live = new Map<string, Place>();
  /** The last segment, which this writer made, and its identity. */
  #handle: FileHandle | undefined;
  #inode = 0;
  #first = 1;
  #last = 0;
  #lastBytes = 0;
  #sequence = 0;
  /** A call is under way, which may be creating the next segment. */
  #busy = true;
  /** For segments of earlier runs, the number of the round with which the next segment goes on. */
  readonly #ends = new Map<number, number>();

  constructor(path: string, codec: SegmentCodec, limits: DirectoryLimits) {
    this.#path = path;
    this.#codec = codec;
    this.#limits = limits;
  }

  async load(): Promise<StoredRecord[]> {
    try {
      const records = await this.#load();
      this.#busy = false;
      return records;
    } catch (error) {
      throw ioError("STORAGE_READ_FAILED", this.#path, error);
    }
  }

  async write(deletes: KeyRange[], puts: StoredRecord[]): Promise<void> {
    try {
      this.#busy = true;
      await this.#write(deletes, puts);
      this.#busy = false;
    } catch (error) {
      // Whatever failed for a fenced writer, this is why.
      this.#assertMine();
      throw ioError("STORAGE_WRITE_FAILED", this.#path, error);
    }
  }

  check(): void {
    if (!this.#busy) this.#assertMine();
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #load(): Promise<StoredRecord[]> {
    await makeDirectory(this.#path);
    const numbers = await this.#takeOver();
    const records = new Map<string, Uint8Array>();
    let segment: Segment | undefined;
    for (const number of numbers) {
      const next = await this.#read(number);
      const begin = next.rounds[0]?.sequence;
      // Nothing was written into it: its run ended before, or is about to write what was read here already.
      if (begin === undefined) {
        await this.#seal(number);
        continue;
      }
      if (segment !== undefined) this.#replay(segment, begin, records);
      segment = next;
    }
    if (segment !== undefined) {
      this.#replay(segment, undefined, records);
      // What a former run wrote may have been read from memory just now: it counts from here on, so it must stay.
      await syncFile(this.#file(segment.number));
    }
    assertOldest(this.#path, this.#first, records);
    records.delete(OLDEST);
    await this.#carryOver();
    return [...records];
  }

  /** Creates the segment that fences whoever wrote to the last one. Answers with the numbers of those before it. */
  async #takeOver(): Promise<number[]> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const numbers = segmentNumbers(await readdir(this.#path));
      const last = numbers.at(-1) ?? 0;
      if (!(await this.#create(last + 1))) continue;
      this.#first = numbers[0] ?? last + 1;
      assertUnbroken(this.#path, numbers, last);
      return numbers;
    }
    throw fenced(this.#path);
  }

  /** Puts another file in the place of an empty segment: whoever has that one open writes to nowhere. */
  async #seal(number: number): Promise<void> {
    const fresh = `${this.#file(number)}.new`;
    await writeFile(fresh, "");
    await rename(fresh, this.#file(number));
    await syncDirectory(this.#path);
  }

  /** Makes a segment the last one, durably, unless it is there: then another writer made it. */
  async #create(number: number): Promise<boolean> {
    let handle: FileHandle;
    try {
      handle = await open(this.#file(number), CREATE);
    } catch (error) {
      if (isCode(error, "EEXIST")) return false;
      throw error;
    }
    await this.#handle?.close();
    this.#handle = handle;
    this.#inode = (await handle.stat()).ino;
    this.#last = number;
    this.#lastBytes = 0;
    await syncDirectory(this.#path);
    return true;
  }

  /**
   * Throws if another writer has opened the storage since this one did. In this order: segments are removed oldest
   * first, so while the last one is here, a successor cannot have come and gone before the first look.
   */
  #assertMine(): void {
    const look = (number: number) => statSync(this.#file(number), { throwIfNoEntry: false });
    if (this.#handle === undefined) return;
    if (look(this.#last + 1) !== undefined) throw fenced(this.#path);
    if (look(this.#last)?.ino === this.#inode) return;
    const directory = statSync(this.#path, { throwIfNoEntry: false });
    const names = directory === undefined ? [] : readdirSync(this.#path);
    throw segmentNumbers(names).some((number) => number > this.#last)
      ? fenced(this.#path)
      : lost(this.#path);
  }

  async #write(deletes: KeyRange[], puts: StoredRecord[]): Promise<void> {
    this.#assertMine();
    if (this.#lastBytes >= this.#limits.segmentBytes) {
      if (!(await this.#create(this.#last + 1))) throw fenced(this.#path);
      await this.#carryOver();
    }
    await this.#append(deletes, puts);
    this.#assertMine();
  }

  async #read(number: number): Promise<Segment> {
    const file = this.#file(number);
    return scanned(this.#codec, file, number, await readFile(file));
  }

  /** Takes over what a segment holds, up to the round with which the next one goes on. */
  #replay(segment: Segment, end: number | undefined, records: Map<string, Uint8Array>): void {
    const { number } = segment;
    for (const { sequence, deletes, puts } of counted(segment, end, this.#sequence)) {
      this.#sequence = sequence;
      for (const key of this.#note(number, undefined, deletes, puts)) records.delete(key);
      for (const [key, value] of puts) records.set(key, value);
    }
    this.#ends.set(number, this.#sequence + 1);
  }

  /** Remembers where records now lie; returns the keys that were deleted. */
  #note(
    segment: number,
    round: Span | undefined,
    deletes: readonly KeyRange[],
    puts: readonly StoredRecord[],
  ): string[] {
    const gone = deletes.flatMap(([first, end]) =>
      [...this.#live.keys()].filter((key) => first <= key && key < end),
    );
    for (const key of gone) this.#live.delete(key);
    for (const [key, value] of puts) this.#live.set(key, { segment, bytes: value.length, round });
    return gone;
  }

  async #append(deletes: KeyRange[], puts: StoredRecord[]): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) throw new Error("the storage is not open");
    const sealed = this.#codec.sealRound(this.#sequence + 1, deletes, puts);
    for (let written = 0; written < sealed.length; ) {
      written += (await handle.write(sealed, written)).bytesWritten;
    }
    if (DURABLE_WRITES === 0) await handle.datasync();
    this.#sequence += 1;
    const round = { offset: this.#lastBytes, length: sealed.length };
    this.#lastBytes += sealed.length;
    this.#note(this.#last, round, deletes, puts);
  }

  /** Begins the last segment with what must leave the oldest ones, and removes those. */
  async #carryOver(): Promise<void> {
    const [firstKept, carried] = await this.#carry();
    carried.push([OLDEST, new TextEncoder().encode(String(firstKept))]);
    await this.#append([], carried);
    this.#assertMine();
    for (; this.#first < firstKept; this.#first++) {
      this.#assertMine();
      await rm(this.#file(this.#first), { force: true });
      await syncDirectory(this.#path);
    }
  }

  /** The oldest segments that can go, as the first that stays, and the live records that must leave them first. */
  async #carry(): Promise<[firstKept: number, records: StoredRecord[]]> {
    const live = new Map<number, Live>();
    for (const { segment, bytes, round } of this.#live.values()) {
      const its = live.get(segment) ?? { records: 0, bytes: 0, rounds: new Set() };
      its.records += 1;
      its.bytes += bytes;
      its.rounds.add(round);
      live.set(segment, its);
    }
    const records = new Map<string, Uint8Array>();
    const { carryBytes, removals } = this.#limits;
    const end = Math.min(this.#last, this.#first + removals);
    let budget = carryBytes;
    let number = this.#first;
    for (; number < end; number++) {
      const its = live.get(number);
      if (its === undefined) continue;
      budget -= its.bytes;
      if (budget < 0) break;
      const found = records.size + its.records;
      for (const { sequence, puts } of await this.#roundsOf(number, its.rounds)) {
        if (sequence === this.#ends.get(number)) break;
        for (const [key, value] of puts)
          if (this.#live.get(key)?.segment === number) records.set(key, value);
      }
      if (records.size !== found)
        throw damaged(this.#file(number), "a record is not there any more");
    }
    return [number, [...records]];
  }

  /** These rounds of a segment; all of them where it is not known where one of them lies. */
  async #roundsOf(number: number, spans: ReadonlySet<Span | undefined>): Promise<readonly Round[]> {
    if (spans.has(undefined)) return (await this.#read(number)).rounds;
    const rounds: Round[] = [];
    const file = this.#file(number);
    const handle = await open(file, "r");
    try {
      for (const span of spans) {
        const { offset, length } = span as Span;
        const bytes = new Uint8Array(length);
        const { bytesRead } = await handle.read(bytes, 0, length, offset);
        const place = `${file}, from byte ${offset} on`;
        rounds.push(...scanned(this.#codec, place, number, bytes.subarray(0, bytesRead)).rounds);
      }
    } finally {
      await handle.close();
    }
    return rounds;
  }

  #file(number: number): string {
    return segmentFile(this.#path, number);
  }
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, APPEND);
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

function fenced(path: string) {
  return quorateError("STORAGE_FENCED", `${path}: another opener took the storage over`, {
    place: path,
  });
}

function lost(path: string) {
  return quorateError("STORAGE_LOST", `${path}: the files were removed or replaced`, {
    place: path,
  });
}

function ioError(
  fallback: "STORAGE_READ_FAILED" | "STORAGE_WRITE_FAILED",
  path: string,
  cause: unknown,
) {
  if (cause instanceof QuorateError) return cause;
  const { code: system } = cause as NodeJS.ErrnoException;
  const code = system === "ENOSPC" || system === "EDQUOT" ? "QUOTA_EXCEEDED" : fallback;
  return quorateError(code, `${path}: ${String(cause)}`, { place: path, cause });
}

const APPEND = constants.O_WRONLY | constants.O_APPEND;
const CREATE = APPEND | DURABLE_WRITES | constants.O_CREAT | constants.O_EXCL;
/** How many others may open the storage at the same moment. */
const ATTEMPTS = 5;
const LIMITS: DirectoryLimits = { segmentBytes: 4 << 20, carryBytes: 1 << 20, removals: 4 };
