/** Tasks of the jobs that come with the package: all of them in WebAssembly, chunk by chunk. */

import { Counters } from "./counters.js";
import type { Engine } from "./engine.js";
import { JobError } from "./errors.js";
import { type Assignment, mapFile, reduceFile, type TaskOutcome } from "./protocol.js";
import { engineFormat } from "./records.js";
import { openSections } from "./reduce-input.js";
import { Feeder, fewer, RunFile } from "./runs.js";
import type { ScratchWriter } from "./scratch.js";
import type { Carrier, Run } from "./tasks.js";
import type { BuiltInJob } from "./types.js";

export const builtInCarrier = (engine: Engine, name: BuiltInJob): Carrier => ({
  map: (run, assignment) => mapBuiltIn(engine, name, run, assignment),
  reduce: (run, assignment) => reduceBuiltIn(engine, name, run, assignment),
});

async function mapBuiltIn(
  engine: Engine,
  name: BuiltInJob,
  run: Run,
  { task, attempt, split, probe }: Assignment & { kind: "map" },
): Promise<TaskOutcome> {
  const { spec, scratch } = run;
  const { partitions, memory } = spec;
  const { start, end } = probe ?? split;
  const source = spec.sources[split.source];
  if (source === undefined)
    throw new JobError("INPUT_NOT_FOUND", `there is no input ${split.source}`);
  const job = jobOf(name, run, split.source, source.name);
  const mapper = new engine.Mapper(job, engineFormat(spec.format), start, end, partitions, memory);
  const file = new RunFile(await scratch.create(mapFile(run.job, task, attempt)), partitions);
  try {
    for await (const chunk of run.readSource(source, mapper.position)) {
      for (let rest = chunk; rest.length > 0 && !mapper.isDone; ) {
        const taken = mapper.feed(rest);
        rest = rest.subarray(taken);
        if (rest.length > 0 && !mapper.isDone) file.spill(mapper);
      }
      const { position: at } = mapper;
      run.report({ records: mapper.records, bytes: Math.max(0, at - start), at, next: at + 1 });
      if (mapper.isDone) break;
    }
    if (!mapper.isDone) mapper.finish();
    if (!mapper.isEmpty) file.spill(mapper);
    const counters = new Counters();
    if (mapper.records > 0) counters.add("records", mapper.records);
    if (file.pairs > 0) counters.add("pairs", file.pairs);
    if (probe !== undefined) {
      await file.abandon();
      return { sizes: [], counters: {} };
    }
    await file.close();
    return { sizes: file.sizes, counters: counters.all };
  } catch (error) {
    await file.abandon();
    throw error;
  } finally {
    mapper.free();
  }
}

async function reduceBuiltIn(
  engine: Engine,
  name: BuiltInJob,
  run: Run,
  assignment: Assignment & { kind: "reduce" },
): Promise<TaskOutcome> {
  const { scratch } = run;
  const { task, attempt } = assignment;
  const file = reduceFile(run.job, task, attempt);
  const input = await openSections(engine, run, assignment, file, (all, report) =>
    fewer(engine, all, task, scratch, file, report),
  );
  const feeder = new Feeder(input.parts);
  const reducer = new engine.Reducer({ job: NAMES[name] }, task, input.parts.length);
  let writer: ScratchWriter | undefined;
  try {
    writer = await scratch.create(file);
    let size = 0;
    for (let step = reducer.run(); step !== undefined; step = reducer.run()) {
      if (typeof step === "number") reducer.feed(step, feeder.next(step));
      else {
        writer.write(step);
        size += step.length;
      }
      const at = reducer.groups;
      run.report({ records: at, bytes: size, at, next: at + 1 });
    }
    await writer.close();
    const counters = new Counters();
    if (reducer.groups > 0) counters.add("groups", reducer.groups);
    return { sizes: [size], counters: counters.all };
  } catch (error) {
    await writer?.abandon();
    throw input.blame(error);
  } finally {
    reducer.free();
    await input.close();
  }
}

const NAMES = {
  wordcount: "wordCount",
  index: "invertedIndex",
  grep: "grep",
  sort: "sort",
} as const;

/** The job in the engine's words, for a map. */
function jobOf(
  name: BuiltInJob,
  { spec }: Run,
  source: number,
  document: string,
): ConstructorParameters<Engine["Mapper"]>[0] {
  const { fold = false, pattern = "" } = (spec.params ?? {}) as {
    fold?: boolean;
    pattern?: string;
  };
  switch (name) {
    case "wordcount":
      return { job: "wordCount", fold };
    case "index":
      return { job: "invertedIndex", fold, document };
    case "grep":
      return { job: "grep", literal: pattern, source };
    case "sort":
      return { job: "sort", boundaries: [...(spec.boundaries ?? [])] };
  }
}
