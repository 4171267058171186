/** Tasks of a job of the user's own: its functions between the engine's readers and writers. */

import { Combiner } from "./combiner.js";
import { Counters } from "./counters.js";
import type { Engine } from "./engine.js";
import { JobError } from "./errors.js";
import type { Group } from "./groups.js";
import { OrderedPairs } from "./ordered-pairs.js";
import { BytePairs, type Pairs, type PairsParts } from "./pairs.js";
import { type Assignment, mapFile, reduceFile, type TaskOutcome } from "./protocol.js";
import { recordsOf } from "./records.js";
import { openGroups } from "./reduce-groups.js";
import { RunFile } from "./runs.js";
import type { ScratchWriter } from "./scratch.js";
import type { Carrier, Run } from "./tasks.js";
import type { PairValue, TaskContext } from "./types.js";
import { type AnyJob, formatter, threw } from "./user-job.js";

export const userCarrier = (engine: Engine, job: AnyJob): Carrier => ({
  map: (run, assignment) => mapUser(engine, job, run, assignment),
  reduce: (run, assignment) => reduceUser(engine, job, run, assignment),
});

async function mapUser(
  engine: Engine,
  job: AnyJob,
  run: Run,
  assignment: Assignment & { kind: "map" },
): Promise<TaskOutcome> {
  const { spec, scratch } = run;
  const { task, attempt, split, probe } = assignment;
  const { partitions } = spec;
  const counters = new Counters();
  const context = contextOf(run, task, counters, spec.sources[split.source]?.name ?? "");
  // A probe leaves nothing behind.
  const file =
    probe === undefined
      ? new RunFile(await scratch.create(mapFile(run.job, task, attempt)), partitions)
      : undefined;
  const parts: PairsParts = { engine, job, partitions, memory: spec.memory, file, context };
  const pairs = pairsOf(parts);
  const emit = (key: string, value: PairValue) => pairs.add(key, value);
  try {
    const skip = new Set(assignment.skip);
    const range = probe ?? split;
    const [records, bytes] = [counterOf(0), counterOf(0)];
    let isFirst = true;
    for await (const some of recordsOf(engine, job, run, split.source, range)) {
      for (const [at, value, next] of some) {
        // The record in hand is known to the owner before it can do harm.
        run.report(
          { records: records.now, bytes: bytes.now, at, next },
          isFirst && probe !== undefined,
        );
        isFirst = false;
        records.now += 1;
        bytes.now = next - range.start;
        if (skip.has(at)) continue;
        try {
          const done: unknown = job.map(at, value, emit, context);
          if (isPromise(done)) await done;
        } catch (error) {
          throw threw("map()", error, at, context.input);
        }
      }
    }
    pairs.finish();
    await file?.close();
    if (records.now > 0) counters.add("records", records.now);
    if (file !== undefined && file.pairs > 0) counters.add("pairs", file.pairs);
    return { sizes: file?.sizes ?? [], counters: counters.all };
  } catch (error) {
    await file?.abandon();
    throw error;
  } finally {
    pairs.free();
  }
}

function pairsOf(parts: PairsParts): Pairs {
  const { job, file } = parts;
  if (job.compare !== undefined) return new OrderedPairs(parts);
  // A probe is for what map() does.
  const isCombined = job.combine !== undefined && file !== undefined;
  return isCombined ? new Combiner(parts) : new BytePairs(parts);
}

async function reduceUser(
  engine: Engine,
  job: AnyJob,
  run: Run,
  assignment: Assignment & { kind: "reduce" },
): Promise<TaskOutcome> {
  const { scratch } = run;
  const { task, attempt, skip } = assignment;
  const counters = new Counters();
  const context = contextOf(run, task, counters, "");
  const name = reduceFile(run.job, task, attempt);
  const input = await openGroups(engine, job, run, assignment, name);
  let writer: ScratchWriter | undefined;
  try {
    writer = await scratch.create(name);
    const format = formatter(job);
    const skipped = new Set(skip);
    let [number, size] = [0, 0];
    for (const group of input.groups) {
      run.report({ records: number, bytes: size, at: number, next: number + 1 });
      if (!skipped.has(number)) {
        const bytes = await reduced(job, group, context, format, number);
        if (bytes !== undefined) {
          writer.write(bytes);
          size += bytes.length;
        }
      }
      number += 1;
    }
    await writer.close();
    if (number > 0) counters.add("groups", number);
    return { sizes: [size], counters: counters.all };
  } catch (error) {
    await writer?.abandon();
    throw input.blame(error);
  } finally {
    await input.close();
  }
}

async function reduced(
  job: AnyJob,
  { key, values }: Group,
  context: TaskContext,
  format: ReturnType<typeof formatter>,
  number: number,
): Promise<Uint8Array | undefined> {
  let result: PairValue | undefined;
  try {
    const returned: unknown = job.reduce(key, values, context);
    result = (isPromise(returned) ? await returned : returned) as PairValue | undefined;
  } catch (error) {
    // What the engine throws while values are read is not the job's.
    if ((error as { code?: unknown }).code !== undefined && error instanceof JobError) throw error;
    throw threw("reduce()", error, number);
  }
  if (result === undefined) return undefined;
  try {
    return format(key, result);
  } catch (error) {
    throw threw("format()", error, number);
  }
}

function contextOf(run: Run, task: number, counters: Counters, input: string): TaskContext {
  const { params, partitions } = run.spec;
  return { params, partitions, task, input, count: (name, by) => counters.add(name, by) };
}

const isPromise = (value: unknown): value is Promise<never> =>
  typeof (value as Partial<PromiseLike<unknown>> | null | undefined)?.then === "function";

const counterOf = (now: number) => ({ now });
