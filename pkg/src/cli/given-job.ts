/** What is to be done, from the words of `quorate mapreduce`. */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Json } from "../kv/types.js";
import type { JobInput, MapReduceOptions, RecordFormat } from "../mapreduce/types.js";
import type { Given, OptionTable } from "./command.js";
import { UsageError } from "./exit.js";
import { numberOf, sizeOf, timeOf } from "./values.js";

/** What a job takes. The numbers are checked where they are used. */
export const JOB: OptionTable = {
  job: { value: "JOB", about: "wordcount, index, grep, sort, or a module: its path or URL" },
  input: {
    value: "FILE",
    many: true,
    about: "a path, a pattern, a directory or a URL; may be given more than once",
  },
  output: { value: "DIR", about: "where results go: one that is not there, or -, standard output" },
  partitions: { value: "N", about: "how many outputs, 1 to 1,024 (8)" },
  params: { value: "JSON", about: "for the job's functions" },
  pattern: { value: "TEXT", about: "of grep: what a record has in it" },
  fold: { about: "of wordcount and index: capital letters are small ones" },
  records: { value: "FORMAT", about: "lines, whole, custom, delimiter:TEXT or length:N (lines)" },
  split: { value: "SIZE", about: "of the input for a map task (so that each worker gets a few)" },
  memory: { value: "SIZE", about: "of pairs that a worker holds before it writes (64MiB)" },
  skip: { value: "N", about: "records over which the job fails may be left out (0)" },
  lease: { value: "TIME", about: "how long a worker that says nothing keeps a task (10s)" },
  attempts: { value: "N", about: "how often a task may fail (4)" },
  "no-backup": { about: "no second worker for the last tasks when the first is slow" },
};

/** The job, as `mapReduce` takes it; without an output where that is standard output. */
export function jobOf(options: Given): MapReduceOptions {
  const job = options.text("job");
  const output = options.text("output");
  const input = inputOf(options);
  if (job === undefined || output === undefined || input === undefined)
    throw new UsageError(
      'mapreduce takes --job, --input and --output; "help mapreduce" tells more',
    );
  const params = paramsOf(options);
  const given: Partial<Record<keyof MapReduceOptions, unknown>> = {
    output: output === "-" ? undefined : output,
    partitions: options.read("partitions", numberOf),
    params,
    records: options.read("records", recordsOf),
    split: options.read("split", sizeOf),
    memory: options.read("memory", sizeOf),
    skip: options.read("skip", numberOf),
    lease: options.read("lease", timeOf),
    attempts: options.read("attempts", numberOf),
    backup: options.has("no-backup") ? false : undefined,
  };
  const known = Object.entries(given).filter(([, value]) => value !== undefined);
  return { input, job: moduleOf(job), ...Object.fromEntries(known) };
}

/** The inputs, if there are some. */
export function inputOf(options: Given): readonly JobInput[] | undefined {
  const words = options.all("input");
  return words.length === 0 ? undefined : words.map((word) => urlOf(word) ?? word);
}

/** A name of one word is a job of the package; whether there is one is asked there. */
function moduleOf(word: string): MapReduceOptions["job"] {
  if (/^\w+$/.test(word)) return word as MapReduceOptions["job"];
  return urlOf(word) ?? pathToFileURL(resolve(word));
}

/** Two letters at least: one is a drive. */
function urlOf(word: string): URL | undefined {
  return /^[a-z][a-z\d+.-]+:/i.test(word) && URL.canParse(word) ? new URL(word) : undefined;
}

function paramsOf(options: Given): Json | undefined {
  const params = options.read("params", jsonOf);
  const pattern = options.text("pattern");
  const more = {
    ...(pattern !== undefined && { pattern }),
    ...(options.has("fold") && { fold: true }),
  };
  if (Object.keys(more).length === 0) return params;
  if (
    params !== undefined &&
    (typeof params !== "object" || params === null || Array.isArray(params))
  )
    throw new UsageError("--pattern and --fold go with --params that are an object");
  return { ...params, ...more };
}

function jsonOf(text: string, what: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new UsageError(`${what} is no JSON: ${(error as Error).message}`);
  }
}

function recordsOf(word: string, what: string): RecordFormat {
  const [, kind, value = ""] = /^(delimiter|length):(.*)$/s.exec(word) ?? [];
  if (kind === "length") return { length: numberOf(value, `${what} length`) };
  if (kind === "delimiter")
    return {
      delimiter: value.replace(/\\([nrt0\\])/g, (_, letter: string) => ESCAPES[letter] ?? ""),
    };
  if (word !== "lines" && word !== "whole" && word !== "custom")
    throw new UsageError(`${what} is lines, whole, custom, delimiter:TEXT or length:N`);
  return word;
}

/** What a shell makes hard to type. */
const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", 0: "\0", "\\": "\\" };
