/**
 * Where workers keep what is between map and reduce, and results that nobody asked to be put elsewhere: files by name, each
 * written once by one attempt and read by many. What is lost of it is made again.
 */

import { JobError } from "./errors.js";

export interface Scratch {
  /** Begins a file; one of that name that is there is replaced. */
  create(name: string): Promise<ScratchWriter>;
  /** Opens a file; rejects with `SCRATCH_DAMAGED` if there is none. */
  open(name: string): Promise<ScratchReader>;
  /** The bytes of a file, in any thread. */
  stream(name: string): ReadableStream<Uint8Array>;
  /** Removes all files whose names begin so, `job` first; those that are not there are fine. */
  remove(job: string, prefix?: string): Promise<void>;
  /** The first parts of the names that there are. */
  jobs(): Promise<string[]>;
}

export interface ScratchWriter {
  /** Bytes behind those before; the buffer is the caller's again. */
  write(bytes: Uint8Array): void;
  /** Rejects if anything of it was not written. */
  close(): Promise<void>;
  /** Ends it without a file. */
  abandon(): Promise<void>;
}

export interface ScratchReader {
  readonly size: number;
  /** Bytes of the file, fewer at its end. */
  read(at: number, length: number): Uint8Array;
  close(): void;
}

/** How a worker finds the scratch storage; crosses ports. */
export type ScratchPlace =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "browser"; readonly name: string };

/** What a file that cannot be read is to whoever needs it. */
export function damaged(name: string, why: unknown): JobError {
  const message = why instanceof Error ? why.message : String(why);
  return new JobError("SCRATCH_DAMAGED", `${name} of the scratch storage: ${message}`, {
    cause: why,
    place: name,
  });
}

/** What a failed write is. */
export function unwritten(name: string, why: unknown): JobError {
  const message = why instanceof Error ? why.message : String(why);
  return new JobError(
    "SCRATCH_FULL",
    `${name} cannot be written to the scratch storage: ${message}`,
    {
      cause: why,
      place: name,
    },
  );
}
