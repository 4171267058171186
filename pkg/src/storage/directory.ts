/**
 * Storage in a directory of append-only segments, on Node. Runs in the node's thread.
 *
 * A round is one sealed record, one append and one `fdatasync`. Segments are numbered without gaps. When the last
 * one is full, the next round begins a new one; before it, the live records of the oldest segments are carried over,
 * as far as that is cheap, and those segments are removed, oldest first.
 *
 * Why this is safe wherever it stops: an unfinished append can only be at the end of the last segment, and was never
 * acknowledged; a new segment counts only once it and its directory entry are durable; a segment is removed only when
 * every record in it was overwritten, deleted or carried over by what is durable; and removals are durable in order,
 * so that a record cannot outlive the one that deleted it.
 */

import { constants } from "node:fs";
import { type FileHandle, open, readdir, readFile, truncate, unlink } from "node:fs/promises";
import { join } from "node:path";
import { QuorateError, quorateError } from "../errors.js";
import { makeDirectory, syncDirectory } from "./durable.js";
import type { KeyRange, Storage, StoredRecord } from "./storage.js";

/** The record format, which is the core's. */
export interface SegmentCodec {
  sealRound(sequence: number, deletes: KeyRange[], puts: StoredRecord[]): Uint8Array;
  scanSegment(bytes: Uint8Array): {
    rounds: { sequence: number; deletes: KeyRange[]; puts: StoredRecord[] }[];
    validBytes: number;
    torn: boolean;
  };
}

export interface DirectoryLimits {
  /** A segment of this size gets no further rounds. */
  readonly segmentBytes: number;
  /** At most so many bytes are carried over at once. */
  readonly carryBytes: number;
}

/** A storage in `path`, which is made if it does not exist. */
export function directoryStorage(
  path: string,
  codec: SegmentCodec,
  limits: DirectoryLimits = LIMITS,
): Storage {
  return new DirectoryStorage(path, codec, limits);
}

/** Where a live record lies. */
interface Place {
  readonly segment: number;
  readonly bytes: number;
}

class DirectoryStorage implements Storage {
  readonly #path: string;
  readonly #codec: SegmentCodec;
  readonly #limits: DirectoryLimits;
  readonly #live = new Map<string, Place>();
  #handle: FileHandle | undefined;
  /** The oldest and the newest segment; none yet while `#last` is below `#first`. */
  #first = 1;
  #last = 0;
  #lastBytes = 0;
  #sequence = 0;

  constructor(path: string, codec: SegmentCodec, limits: DirectoryLimits) {
    this.#path = path;
    this.#codec = codec;
    this.#limits = limits;
  }

  load(): Promise<StoredRecord[]> {
    return this.#load().catch((error: unknown) => {
      throw ioError("STORAGE_READ_FAILED", this.#path, error);
    });
  }

  write(deletes: KeyRange[], puts: StoredRecord[]): Promise<void> {
    return this.#write(deletes, puts).catch((error: unknown) => {
      throw ioError("STORAGE_WRITE_FAILED", this.#path, error);
    });
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #load(): Promise<StoredRecord[]> {
    await makeDirectory(this.#path);
    const numbers = await this.#numbers();
    if (numbers.length > 0) [this.#first, this.#last] = [numbers[0] ?? 1, numbers.at(-1) ?? 0];
    const records = new Map<string, Uint8Array>();
    for (let number = this.#first; number <= this.#last; number++) {
      if (!numbers.includes(number)) throw damaged(this.#file(number), "the segment is missing");
      await this.#scan(number, records);
    }
    if (this.#last >= this.#first) {
      this.#handle = await open(this.#file(this.#last), APPEND);
      // What a former run wrote may have been read from memory just now: it counts from here on, so it must stay.
      await this.#handle.datasync();
    }
    await syncDirectory(this.#path);
    const oldest = Number(new TextDecoder().decode(records.get(OLDEST) ?? Uint8Array.of(0x31)));
    if (this.#first > oldest) throw damaged(this.#file(oldest), "the segment is missing");
    records.delete(OLDEST);
    return [...records];
  }

  async #write(deletes: KeyRange[], puts: StoredRecord[]): Promise<void> {
    if (this.#handle === undefined || this.#lastBytes >= this.#limits.segmentBytes) {
      await this.#rotate(deletes, puts);
    } else {
      await this.#append(this.#handle, deletes, puts);
      this.#note(this.#last, deletes, puts);
    }
  }

  async #scan(number: number, records: Map<string, Uint8Array>): Promise<void> {
    const file = this.#file(number);
    const bytes = await readFile(file);
    const { rounds, validBytes, torn } = this.#scanned(file, bytes);
    for (const { sequence, deletes, puts } of rounds) {
      if (this.#sequence !== 0 && sequence !== this.#sequence + 1) {
        throw damaged(file, `round ${sequence} follows round ${this.#sequence}`);
      }
      this.#sequence = sequence;
      for (const key of this.#note(number, deletes, puts)) records.delete(key);
      for (const [key, value] of puts) records.set(key, value);
    }
    if (torn) {
      if (number !== this.#last)
        throw damaged(`${file}@${validBytes}`, "a round is cut off, but others follow");
      await truncate(file, validBytes);
    }
    this.#lastBytes = validBytes;
  }

  #scanned(file: string, bytes: Uint8Array): ReturnType<SegmentCodec["scanSegment"]> {
    try {
      return this.#codec.scanSegment(bytes);
    } catch (error) {
      const { code, message, place } = error as { code?: string; message?: string; place?: string };
      throw quorateError(
        code === "STORAGE_VERSION" ? "STORAGE_VERSION" : "STORAGE_CORRUPT",
        `${file}, byte ${place ?? "unknown"}: ${message ?? String(error)}`,
        { place: `${file}@${place ?? ""}`, cause: error },
      );
    }
  }

  /** Remembers where records now lie; returns the keys that were deleted. */
  #note(segment: number, deletes: readonly KeyRange[], puts: readonly StoredRecord[]): string[] {
    const gone = deletes.flatMap(([first, end]) =>
      [...this.#live.keys()].filter((key) => first <= key && key < end),
    );
    for (const key of gone) this.#live.delete(key);
    for (const [key, value] of puts) this.#live.set(key, { segment, bytes: value.length });
    return gone;
  }

  async #append(handle: FileHandle, deletes: KeyRange[], puts: StoredRecord[]): Promise<void> {
    const sealed = this.#codec.sealRound(this.#sequence + 1, deletes, puts);
    for (let written = 0; written < sealed.length; ) {
      written += (await handle.write(sealed, written)).bytesWritten;
    }
    await handle.datasync();
    this.#sequence += 1;
    this.#lastBytes += sealed.length;
  }

  async #rotate(deletes: KeyRange[], puts: StoredRecord[]): Promise<void> {
    const [firstKept, carried] = await this.#carry();
    const number = this.#last + 1;
    const handle = await open(this.#file(number), CREATE);
    await this.#handle?.close();
    this.#handle = handle;
    this.#last = number;
    this.#lastBytes = 0;
    carried.push([OLDEST, new TextEncoder().encode(String(firstKept))]);
    await this.#append(handle, [], carried);
    this.#note(number, [], carried);
    await this.#append(handle, deletes, puts);
    this.#note(number, deletes, puts);
    await syncDirectory(this.#path);
    for (; this.#first < firstKept; this.#first++) {
      await unlink(this.#file(this.#first));
      await syncDirectory(this.#path);
    }
  }

  /** The oldest segments that can go, as the first that stays, and the live records that must leave them first. */
  async #carry(): Promise<[firstKept: number, records: StoredRecord[]]> {
    const liveBytes = new Map<number, number>();
    for (const { segment, bytes } of this.#live.values()) {
      liveBytes.set(segment, (liveBytes.get(segment) ?? 0) + bytes);
    }
    const records = new Map<string, Uint8Array>();
    let budget = this.#limits.carryBytes;
    let number = this.#first;
    for (; number <= this.#last; number++) {
      budget -= liveBytes.get(number) ?? 0;
      if (budget < 0) break;
      if (!liveBytes.has(number)) continue;
      const file = this.#file(number);
      for (const { puts } of this.#scanned(file, await readFile(file)).rounds) {
        for (const [key, value] of puts)
          if (this.#live.get(key)?.segment === number) records.set(key, value);
      }
    }
    return [number, [...records]];
  }

  async #numbers(): Promise<number[]> {
    const names = await readdir(this.#path);
    return names
      .flatMap((name) => /^segment-(\d{12})\.qr$/.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  }

  #file(number: number): string {
    return join(this.#path, `segment-${String(number).padStart(12, "0")}.qr`);
  }
}

function damaged(place: string, what: string) {
  return quorateError("STORAGE_CORRUPT", `${place}: ${what}`, { place });
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

/** The record of the storage itself: the oldest segment that is needed. Each segment begins with it. */
const OLDEST = "segments/oldest";
const APPEND = constants.O_WRONLY | constants.O_APPEND;
const CREATE = APPEND | constants.O_CREAT | constants.O_EXCL;
const LIMITS: DirectoryLimits = { segmentBytes: 4 << 20, carryBytes: 1 << 20 };
