/** What `mapReduce` and `MapReduceCluster.open` were given, checked and completed. */

import { integer, invalid, record, show } from "../check.js";
import { ArgumentError } from "../errors.js";
import type { Json } from "../kv/types.js";
import { encode as encodeValue } from "../machine/codec.js";
import type { DebugHome } from "../observe/observation.js";
import { readOptions, type Settings } from "../options.js";
import type { Format, JobSpec } from "./protocol.js";
import type {
  BuiltInJob,
  JobInput,
  JobTarget,
  MapReduceClusterOptions,
  MapReduceOptions,
  RecordFormat,
} from "./types.js";

export interface MapReduceSettings {
  readonly cluster: Settings;
  readonly workers: number;
  readonly scratch: string | undefined;
}

/** What is to be done, but for the inputs, which are looked at first. */
export interface JobSettings {
  readonly inputs: readonly JobInput[];
  readonly spec: Omit<JobSpec, "sources">;
  readonly target: JobTarget | undefined;
  readonly splitBytes: number | undefined;
  readonly leaseMs: number;
  readonly attempts: number;
  readonly backup: boolean;
  readonly skip: number;
}

/** Checks everything before anything is started. */
export function readCluster(
  options: MapReduceClusterOptions,
  platform: {
    readonly storage: "indexeddb" | "directory";
    readonly processors: number;
  } & DebugHome,
): MapReduceSettings {
  try {
    record(options, "the argument", CLUSTER_FIELDS);
    const { workers = Math.min(platform.processors, 8), scratch, ...rest } = options;
    if (scratch !== undefined) {
      if (platform.storage !== "directory") throw invalid('"scratch" needs Node');
      if (typeof scratch !== "string" || scratch === "" || scratch.includes("\0"))
        throw invalid(`"scratch" is a path, not ${show(scratch)}`);
    }
    const cluster = readOptions(rest, platform);
    return {
      // Its storage remembers that it is no store.
      cluster: { ...cluster, machine: MACHINE },
      workers: integer(workers, '"workers"', 0, WORKERS_MAX),
      scratch,
    };
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    const message = error.message.replace(/^Cluster\.open: /, "");
    throw new ArgumentError("INVALID_OPTION", `MapReduceCluster.open: ${message}`);
  }
}

/** Checks a job, all but its inputs. */
export function readJob(options: MapReduceOptions): JobSettings {
  record(options, "the job", JOB_FIELDS);
  const {
    input,
    job,
    partitions = 8,
    params = null,
    records = "lines",
    output,
    split,
    memory = 64 << 20,
    lease = 10_000,
    attempts = 4,
    backup = true,
    skip = 0,
  } = options;
  if (typeof backup !== "boolean") throw invalid('"backup" is true or false');
  const builtIn = typeof job === "string" ? builtInOf(job) : undefined;
  if (builtIn === undefined && !(job instanceof URL))
    throw invalid(
      `"job" is the URL of a module, as new URL("./job.js", import.meta.url), or one of ${BUILT_IN.join(", ")}, not ${show(job)}`,
    );
  checkParams(params, builtIn);
  const format = formatOf(records);
  if (builtIn !== undefined && format.kind === "custom")
    throw invalid('records: "custom" goes with a job that has a boundary()');
  return {
    inputs: inputsOf(input),
    spec: {
      job: builtIn === undefined ? { url: (job as URL).href } : { builtIn },
      params,
      partitions: integer(partitions, '"partitions"', 1, PARTITIONS_MAX),
      format,
      memory: integer(memory, '"memory"', 64 << 10, 1 << 30),
    },
    target: targetOf(output),
    splitBytes: split === undefined ? undefined : integer(split, '"split"', 1 << 10, 2 ** 40),
    leaseMs: integer(lease, '"lease"', 100, 3_600_000),
    attempts: integer(attempts, '"attempts"', 1, 100),
    backup,
    skip: integer(skip, '"skip"', 0, 1_000),
  };
}

export function inputsOf(input: unknown): readonly JobInput[] {
  const inputs = (Array.isArray(input) ? input : [input]) as JobInput[];
  if (inputs.length === 0) throw invalid('"input" has nothing in it');
  for (const one of inputs) {
    const fits =
      (typeof one === "string" && one !== "") ||
      one instanceof URL ||
      one instanceof Blob ||
      one instanceof Response ||
      one instanceof ReadableStream ||
      one instanceof Uint8Array ||
      isStore(one);
    if (!fits)
      throw invalid(
        `"input" is made of paths, URLs, blobs, responses, streams, bytes and { kv, prefix }, not ${show(one)}`,
      );
  }
  return inputs;
}

export const isStore = (
  value: unknown,
): value is Extract<JobTarget, object> & Extract<JobInput, object> =>
  typeof value === "object" &&
  value !== null &&
  typeof (value as { prefix?: unknown }).prefix === "string" &&
  typeof (value as { kv?: { range?: unknown } }).kv?.range === "function";

function targetOf(output: JobTarget | undefined): JobTarget | undefined {
  if (output === undefined) return undefined;
  if (typeof output === "string" && output !== "" && !output.includes("\0")) return output;
  if (isStore(output) && output.prefix !== "") return output;
  throw invalid(`"output" is a directory's path or { kv, prefix }, not ${show(output)}`);
}

function builtInOf(job: string): BuiltInJob | undefined {
  return BUILT_IN.find((name) => name === job);
}

function checkParams(params: Json, builtIn: BuiltInJob | undefined): void {
  try {
    encodeValue(params, PARAMS_MAX);
  } catch (error) {
    throw invalid(`"params" cannot be sent: ${(error as Error).message}`, error);
  }
  if (builtIn === undefined) return;
  const fields = PARAMS[builtIn];
  if (params !== null) record(params, `"params" of ${builtIn}`, fields);
  if (builtIn === "grep") {
    const { pattern } = (params ?? {}) as { pattern?: unknown };
    if (typeof pattern !== "string" || pattern === "")
      throw invalid(`"params.pattern" of grep is a text, not ${show(pattern)}`);
  }
}

function formatOf(records: RecordFormat): Format {
  if (typeof records === "string" && PLAIN.includes(records)) return { kind: records } as Format;
  if (typeof records === "object" && records !== null && "length" in records) {
    record(records, '"records"', ["length"]);
    return {
      kind: "length",
      length: integer(records.length, '"records.length"', 1, RECORD_MAX),
    };
  }
  record(records, '"records"', ["delimiter"]);
  const { delimiter } = records as { delimiter: unknown };
  const bytes = typeof delimiter === "string" ? new TextEncoder().encode(delimiter) : delimiter;
  if (!(bytes instanceof Uint8Array) || bytes.length === 0 || bytes.length > DELIMITER_MAX)
    throw invalid(`"records.delimiter" has 1 to ${DELIMITER_MAX} bytes`);
  return { kind: "delimiter", delimiter: bytes };
}

const PLAIN: readonly string[] = ["lines", "whole", "custom"];
/** In place of a module's URL: the machine comes with the worker. */
const MACHINE = "quorate:mapreduce";
export const BUILT_IN: readonly BuiltInJob[] = ["wordcount", "index", "grep", "sort"];
const PARAMS: Record<BuiltInJob, readonly string[]> = {
  wordcount: ["fold"],
  index: ["fold"],
  grep: ["pattern"],
  sort: [],
};
const WORKERS_MAX = 64;
const PARTITIONS_MAX = 1_024;
const PARAMS_MAX = 32 << 10;
const RECORD_MAX = 16 << 20;
const DELIMITER_MAX = 64;

const CLUSTER_FIELDS: readonly string[] = [
  "name",
  "nodes",
  "workers",
  "scratch",
  "storage",
  "directory",
  "timeouts",
  "deadline",
  "snapshotEntries",
  "debug",
  "signal",
  "wasm",
  "createWorker",
] satisfies (keyof MapReduceClusterOptions)[];

const JOB_FIELDS: readonly string[] = [
  "input",
  "job",
  "partitions",
  "params",
  "records",
  "output",
  "split",
  "memory",
  "lease",
  "attempts",
  "backup",
  "skip",
] satisfies (keyof MapReduceOptions)[];
