/** One input, as it crosses ports, and how a worker reads it from any place on. */

import { JobError } from "./errors.js";

/** A named sequence of bytes. What it was when the job began is remembered, so that a change is noticed. */
export type Source =
  | { readonly kind: "blob"; readonly name: string; readonly size: number; readonly blob: Blob }
  | {
      readonly kind: "file";
      readonly name: string;
      readonly size: number;
      readonly modified: number;
      readonly path: string;
    }
  | {
      readonly kind: "url";
      readonly name: string;
      readonly size: number;
      /** The server gives parts of it; else it is read from its beginning. */
      readonly parts: boolean;
      /** What the server calls this state of it; empty where it says nothing. */
      readonly tag: string;
      readonly href: string;
    };

/** The bytes from `start` to the end, in chunks. Rejects if the input is not what it was. */
export type ReadSource = (source: Source, start: number) => AsyncIterable<Uint8Array>;

/** Reads what every platform can read. */
export async function* readCommon(source: Source, start: number): AsyncIterable<Uint8Array> {
  if (source.kind === "blob") yield* readBlob(source.blob, source.name, start);
  else if (source.kind === "url") yield* readUrl(source, start);
  else throw gone(source.name, "there are no paths here");
}

async function* readBlob(blob: Blob, name: string, start: number): AsyncIterable<Uint8Array> {
  for (let at = start; at < blob.size; at += CHUNK_BYTES) {
    let buffer: ArrayBuffer;
    try {
      buffer = await blob.slice(at, at + CHUNK_BYTES).arrayBuffer();
    } catch (error) {
      // A browser reads a file that was changed no more.
      throw changed(name, error);
    }
    if (buffer.byteLength < Math.min(CHUNK_BYTES, blob.size - at)) throw changed(name);
    yield new Uint8Array(buffer);
  }
}

async function* readUrl(source: Source & { kind: "url" }, start: number) {
  const { name, href, parts, size, tag } = source;
  if (start >= size) return;
  const from = parts ? start : 0;
  const headers = parts ? { Range: `bytes=${from}-${size - 1}` } : {};
  let response: Response;
  try {
    response = await fetch(href, { headers });
  } catch (error) {
    throw gone(name, error);
  }
  if (response.status === RANGE_NOT_SATISFIABLE) throw changed(name, "it is shorter");
  if (!response.ok) throw gone(name, `the server answered ${response.status}`);
  if (parts && response.status !== 206) throw changed(name, "the server gives no parts any more");
  if (tagOf(response) !== tag) throw changed(name);
  let at = from;
  for await (const chunk of streamed(response, name)) {
    const skipped = Math.max(0, start - at);
    at += chunk.length;
    if (skipped < chunk.length) yield chunk.subarray(skipped);
  }
  if (at !== size) throw changed(name, `it has ${at} bytes, not ${size}`);
}

async function* streamed(response: Response, name: string): AsyncIterable<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      let result: ReadableStreamReadResult<Uint8Array>;
      try {
        result = await reader.read();
      } catch (error) {
        throw gone(name, error);
      }
      if (result.done) return;
      yield result.value;
    }
  } finally {
    // Who has its last record needs no more.
    await reader.cancel().catch(() => {});
  }
}

/** What a server says by which two states of a file can be told from one another. */
export function tagOf(response: Response): string {
  return response.headers.get("etag") ?? response.headers.get("last-modified") ?? "";
}

/** The input is not what it was when the job began. */
export function changed(name: string, cause?: unknown): JobError {
  const why = cause === undefined ? "" : `: ${cause instanceof Error ? cause.message : cause}`;
  return new JobError("INPUT_CHANGED", `the input ${name} was changed while the job ran${why}`, {
    cause,
    input: name,
  });
}

/** The input cannot be read, or not any more. */
export function gone(name: string, cause: unknown): JobError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new JobError("INPUT_NOT_FOUND", `the input ${name} cannot be read: ${why}`, {
    cause,
    input: name,
  });
}

const RANGE_NOT_SATISFIABLE = 416;
export const CHUNK_BYTES = 1 << 20;
