/** The codes of MapReduce, beside those of every cluster, and their class. */

import { type CodeRow, type ErrorCode, type ErrorDetails, QuorateError } from "../errors.js";

/** One row for each code: its class, and whether the same call can succeed later by itself. */
export const JOB_CODES = {
  EMIT_INVALID: ["call", false],
  INPUT_CHANGED: ["call", false],
  INPUT_NOT_FOUND: ["call", false],
  JOB_CANCELLED: ["call", false],
  JOB_FAILED: ["call", false],
  JOB_INVALID: ["call", false],
  JOB_LOAD: ["call", false],
  JOB_OVER: ["call", false],
  JOB_RUNNING: ["call", true],
  JOB_THREW: ["call", false],
  OUTPUT_EXISTS: ["call", false],
  OUTPUT_FAILED: ["call", true],
  RECORD_TOO_LONG: ["call", false],
  SCRATCH_DAMAGED: ["call", true],
  SCRATCH_FULL: ["call", true],
  TOO_MANY_COUNTERS: ["call", false],
  TOO_MANY_JOBS: ["call", true],
  TOO_MANY_SPLITS: ["call", false],
  UNKNOWN_JOB: ["call", false],
  WORKER_LOST: ["call", true],
} as const satisfies Record<string, CodeRow>;

export type JobCode = keyof typeof JOB_CODES;

/** Where in a job something went wrong. */
export interface JobPlace {
  /** The job. */
  readonly job?: number | undefined;
  /** The task, as `map 3` or `reduce 0`. */
  readonly task?: string | undefined;
  /** Where the record begins in its input, in bytes; of a reduce, the number of the key among the partition's keys. */
  readonly record?: number | undefined;
  /** The name of the input. */
  readonly input?: string | undefined;
}

/** A job, or a part of it, went wrong. */
export class JobError extends QuorateError {
  override readonly name = "JobError";
  /** The job's id. */
  readonly job: number | undefined;
  /** The task, as `map 3` or `reduce 0`. */
  readonly task: string | undefined;
  /** Where the record begins in its input, in bytes; of a reduce, the number of the key among the partition's keys, from 0. */
  readonly record: number | undefined;
  /** The name of the input. */
  readonly input: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails & JobPlace = {}) {
    super(code, message, details);
    this.job = details.job;
    this.task = details.task;
    this.record = details.record;
    this.input = details.input;
  }
}

/** What went wrong in a worker, as it crosses a port and stands in the log. */
export interface TaskFailure {
  readonly code: JobCode;
  readonly message: string;
  /** The record in hand, where one is to blame. */
  readonly record?: number;
}

/** Anything thrown, in a word for the log. */
export function failureOf(error: unknown, fallback: JobCode): TaskFailure {
  const { code, offset, record = offset } = error as Partial<Record<string, unknown>>;
  const message = error instanceof Error ? error.message || error.name : String(error);
  return {
    code: typeof code === "string" && Object.hasOwn(JOB_CODES, code) ? (code as JobCode) : fallback,
    message: message.slice(0, MAX_TEXT),
    ...(typeof record === "number" && { record }),
  };
}

const MAX_TEXT = 1_000;
