/** A job of the user's own, inside a worker: its module, checked, and its functions as the tasks call them. */

import { show } from "../check.js";
import { valueBytes } from "./batch.js";
import { failureOf, type JobCode, JobError } from "./errors.js";
import type { Job, PairValue } from "./types.js";

/** Any job. */
export type AnyJob = Job<PairValue>;

/** Imports a module, and finds the job in it: its default export, or its exports. */
export async function loadJob(url: string): Promise<AnyJob> {
  let module: Record<string, unknown>;
  try {
    // Only the worker knows where it is: a bundler must leave these words alone.
    module = await import(/* webpackIgnore: true */ /* @vite-ignore */ url);
  } catch (error) {
    throw refuse("JOB_LOAD", url, `does not load: ${failureOf(error, "JOB_LOAD").message}`);
  }
  const { default: main } = module;
  const job = typeof main === "object" && main !== null ? main : module;
  for (const [name, isNeeded] of FUNCTIONS) {
    const found: unknown = (job as Record<string, unknown>)[name];
    if (found === undefined && !isNeeded) continue;
    if (typeof found !== "function")
      throw refuse(
        "JOB_INVALID",
        url,
        found === undefined ? `has no ${name}()` : `has a ${name} that is ${show(found)}`,
      );
  }
  return job as AnyJob;
}

function refuse(code: JobCode, url: string, what: string): JobError {
  const name = url.length > 200 ? `${url.slice(0, 200)}…` : url;
  return new JobError(code, `the job ${name} ${what}`);
}

/** What a function of the job threw, of which record. Where storage fails meanwhile, that is no fault of the record. */
export function threw(what: string, error: unknown, record: number, input = ""): JobError {
  const isOurs = error instanceof JobError;
  if (isOurs && error.code !== "EMIT_INVALID") return error;
  const { code, message } = failureOf(error, "JOB_THREW");
  const where = input === "" ? what : `${what} of a record of ${input}`;
  const text = isOurs ? `${where}: ${message}` : `${where} threw: ${message}`;
  return new JobError(isOurs ? code : "JOB_THREW", text, { cause: error, record });
}

/** The bytes that a result is written as. */
export function formatter(job: AnyJob): (key: string, value: PairValue) => Uint8Array {
  const encoder = new TextEncoder();
  return (key, value) => {
    if (job.format !== undefined) {
      const formatted: unknown = job.format(key, value);
      if (formatted instanceof Uint8Array) return formatted;
      if (typeof formatted === "string") return encoder.encode(formatted);
      throw new JobError("EMIT_INVALID", `format() gave ${show(formatted)}, which is no text`);
    }
    if (typeof value === "string") return encoder.encode(`${key}\t${value}\n`);
    const head = encoder.encode(`${key}\t`);
    // Bytes, or the text of JSON, behind what says which.
    const body = valueBytes(value).subarray(1);
    const line = new Uint8Array(head.length + body.length + 1);
    line.set(head);
    line.set(body, head.length);
    line[line.length - 1] = LINE_FEED;
    return line;
  };
}

const LINE_FEED = 10;
const FUNCTIONS = [
  ["map", true],
  ["reduce", true],
  ["combine", false],
  ["partition", false],
  ["compare", false],
  ["boundary", false],
  ["format", false],
] as const;
