/** Results: read from the scratch storage, or published elsewhere, once. */

import type { Json, Kv } from "../kv/types.js";
import { MAX_TXN_OPERATIONS } from "../limits.js";
import { JobError } from "./errors.js";
import { reduceFile } from "./protocol.js";
import type { JobOutput, JobResult } from "./types.js";

/** The attempt that won a partition, and how much it wrote. */
export interface Winner {
  readonly attempt: number;
  readonly size: number;
}

/** Reads a file of the scratch storage in the owner's thread. */
export type ReadFile = (name: string) => ReadableStream<Uint8Array>;

/** What a caller gets of a job that is completed. */
export function resultOf(
  job: number,
  winners: readonly Winner[],
  counters: Readonly<Record<string, number>>,
  read: (partition: number, winner: Winner) => ReadableStream<Uint8Array>,
): JobResult {
  const outputs = winners.map((winner, partition): JobOutput => {
    const stream = () => read(partition, winner);
    return Object.freeze({
      partition,
      size: winner.size,
      stream,
      text: () => new Response(stream()).text(),
    });
  });
  const stream = () => joined(outputs.map((output) => output.stream));
  return Object.freeze({
    id: job,
    outputs: Object.freeze(outputs),
    counters,
    stream,
    text: () => new Response(stream()).text(),
  });
}

/** One stream after the other, each opened when its turn comes. */
function joined(parts: readonly (() => ReadableStream<Uint8Array>)[]): ReadableStream<Uint8Array> {
  let at = 0;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return new ReadableStream({
    async pull(controller) {
      for (;;) {
        reader ??= parts[at++]?.().getReader();
        if (reader === undefined) return controller.close();
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        reader = undefined;
      }
    },
    cancel: (reason) => reader?.cancel(reason),
  });
}

/**
 * Writes results to a store: first all keys, below the job's own name, then the key that says so. Who reads that one finds
 * all of them or none, and a second attempt writes the same again. One at a time.
 */
export async function publishToStore(
  { kv, prefix }: { readonly kv: Kv<Json>; readonly prefix: string },
  name: string,
  job: number,
  winners: readonly Winner[],
  read: ReadFile,
  signal: AbortSignal,
): Promise<void> {
  const mark = { job, of: name, prefix: `${prefix}${name}-${job}/` };
  const before = await kv.get(prefix);
  if (before !== null) {
    if (JSON.stringify(before.value) === JSON.stringify(mark)) return;
    throw new JobError("OUTPUT_EXISTS", `the key "${prefix}" is there already`, { job });
  }
  const discard = async (error: unknown) => {
    await kv.deleteRange({ prefix: mark.prefix }).catch(() => {});
    throw error;
  };
  await writeAll(kv, mark.prefix, job, winners, read)
    // From here on it is too late.
    .then(() => signal.throwIfAborted())
    .catch(discard);
  const { succeeded } = await kv.txn({
    if: [{ key: prefix, version: 0 }],
    do: [{ put: prefix, value: mark }],
  });
  if (!succeeded)
    await discard(new JobError("OUTPUT_EXISTS", `the key "${prefix}" is there already`, { job }));
}

/** Of equal keys the last one stays. */
async function writeAll(
  kv: Kv<Json>,
  prefix: string,
  job: number,
  winners: readonly Winner[],
  read: ReadFile,
): Promise<void> {
  for (const [partition, { attempt }] of winners.entries()) {
    let batch = new Map<string, string>();
    let bytes = 0;
    const write = async () => {
      if (batch.size === 0) return;
      await kv.txn({ do: Array.from(batch, ([put, value]) => ({ put, value })) });
      [batch, bytes] = [new Map(), 0];
    };
    for await (const line of linesOf(read(reduceFile(job, partition, attempt)))) {
      const [key = "", ...rest] = line.split("\t");
      const value = rest.join("\t");
      batch.set(`${prefix}${key}`, value);
      bytes += 3 * (key.length + value.length);
      if (batch.size === MAX_TXN_OPERATIONS || bytes > BATCH_BYTES) await write();
    }
    await write();
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const text = rest + (done ? decoder.decode() : decoder.decode(value, { stream: true }));
    const lines = text.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
    if (!done) continue;
    if (rest !== "") yield rest;
    return;
  }
}

const BATCH_BYTES = 512 << 10;
