/** The records of a split, one after the other. */

import type { Engine } from "./engine.js";
import { JobError } from "./errors.js";
import type { Format } from "./protocol.js";
import type { Run } from "./tasks.js";
import type { AnyJob } from "./user-job.js";

/** Where a record begins, its text, and where the next one begins at the earliest. */
export type TextRecord = readonly [at: number, text: string, next: number];

/**
 * Those that begin in the range, as many at once as there are: to wait for each would take longer than most jobs need for it. They
 * are to be gone through before the next. Bytes that are no UTF-8 come as U+FFFD.
 */
export async function* recordsOf(
  engine: Engine,
  job: AnyJob,
  run: Run,
  source: number,
  range: { readonly start: number; readonly end: number },
): AsyncGenerator<Iterable<TextRecord>> {
  const { format, sources } = run.spec;
  const from = sources[source];
  if (from === undefined) throw new JobError("INPUT_NOT_FOUND", `there is no input ${source}`);
  if (format.kind === "custom") return yield* customRecords(job, run, source, range);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const records = new engine.Records(engineFormat(format), range.start, range.end);
  try {
    let position = records.position;
    for await (const chunk of run.readSource(from, position)) {
      const { head, headAt, bounds } = records.feed(chunk);
      if (head !== undefined) yield [[headAt, decoder.decode(head), position + (bounds[0] ?? 0)]];
      yield within(chunk, position, bounds, decoder);
      position += chunk.length;
      if (records.isDone) return;
    }
    const { head, headAt } = records.finish();
    if (head !== undefined) yield [[headAt, decoder.decode(head), position]];
  } finally {
    records.free();
  }
}

/** The records that lie in a chunk as a whole: where each begins, and where its text ends. */
function* within(
  chunk: Uint8Array,
  position: number,
  bounds: Uint32Array,
  decoder: TextDecoder,
): Generator<TextRecord> {
  for (let row = 0; row < bounds.length; row += 2) {
    const begin = bounds[row] as number;
    const end = bounds[row + 1] as number;
    const next = bounds[row + 2] ?? end;
    yield [position + begin, decoder.decode(chunk.subarray(begin, end)), position + next];
  }
}

/** The format as the engine has it. */
export function engineFormat(
  format: Format,
): "lines" | "whole" | { length: number } | { delimiter: Uint8Array } {
  switch (format.kind) {
    case "delimiter":
      return { delimiter: format.delimiter };
    case "length":
      return { length: format.length };
    case "custom":
      throw new JobError("JOB_INVALID", 'records: "custom" goes with a job that has a boundary()');
    default:
      return format.kind;
  }
}

/** The job says where each record ends. */
async function* customRecords(
  job: AnyJob,
  run: Run,
  source: number,
  range: { readonly start: number; readonly end: number },
): AsyncGenerator<Iterable<TextRecord>> {
  const { boundary } = job;
  if (boundary === undefined)
    throw new JobError("JOB_INVALID", 'records: "custom" needs a boundary() of the job');
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let [rest, at] = [new Uint8Array(0), 0];
  const cut = function* (isLast: boolean): Generator<TextRecord> {
    while (rest.length > 0) {
      const end: unknown = boundary.call(job, rest, isLast) ?? (isLast ? rest.length : undefined);
      if (end === undefined) {
        if (rest.length <= RECORD_MAX) return;
        const message = `the record at ${at} has more than ${RECORD_MAX} bytes`;
        throw Object.assign(new JobError("RECORD_TOO_LONG", message, { record: at }));
      }
      if (typeof end !== "number" || !Number.isInteger(end) || end < 1 || end > rest.length) {
        const message = `boundary() gave ${String(end)}, of ${rest.length} bytes`;
        throw new JobError("JOB_INVALID", message, { record: at });
      }
      if (at >= range.start && at < range.end)
        yield [at, decoder.decode(rest.subarray(0, end)), at + end];
      rest = rest.subarray(end);
      at += end;
    }
  };
  const from = run.spec.sources[source];
  if (from === undefined) throw new JobError("INPUT_NOT_FOUND", `there is no input ${source}`);
  for await (const chunk of run.readSource(from, 0)) {
    const joined = new Uint8Array(rest.length + chunk.length);
    joined.set(rest);
    joined.set(chunk, rest.length);
    rest = joined;
    yield cut(false);
  }
  yield cut(true);
}

const RECORD_MAX = 16 << 20;
