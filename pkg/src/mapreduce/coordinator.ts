/** What is said to the coordinator, and what it answers, as bytes: `crate/mapreduce/src/coordinator` is the other side. */

import { quorateError } from "../errors.js";
import { Reader, Writer } from "../kv/bytes.js";
import { unexpected } from "../kv/reply.js";
import type { CallOptions } from "../types.js";
import { type JobCode, JobError, type TaskFailure } from "./errors.js";
import type { JobSettings } from "./options.js";
import type { Winner } from "./outputs.js";
import type { Assignment, Split, TaskOutcome, TaskProgress } from "./protocol.js";
import type {
  InputCount,
  JobEvent,
  JobPhase,
  JobSummary,
  RunningTask,
  TaskCount,
} from "./types.js";

/** The group of nodes that has the coordinator for its machine. */
interface Group {
  execute(command: unknown, options?: CallOptions): Promise<unknown>;
  query(question: unknown, options?: CallOptions): Promise<unknown>;
}

/** What a worker that asks is told. */
export type Assigned =
  | Assignment
  | { readonly kind: "publish"; readonly task: 0; readonly attempt: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "over" };

/** What names an attempt. */
export type AttemptName = Pick<Assignment, "task" | "attempt"> & {
  readonly kind: "map" | "reduce" | "publish";
};

/** What the coordinator itself finds wrong with an attempt, in the codes of callers. */
const OWN_CODES: Readonly<Record<string, JobCode>> = {
  LEASE_EXPIRED: "WORKER_LOST",
  WORKER_DIED: "WORKER_LOST",
  OUTPUT_LOST: "SCRATCH_DAMAGED",
};

/** How far a job is. */
export interface JobStatus {
  readonly id: number;
  readonly phase: JobPhase;
  readonly map: TaskCount;
  readonly reduce: TaskCount;
  /** Of the splits: those whose tasks are completed have been read. */
  readonly input: InputCount;
  /** At most 1,000. */
  readonly running: readonly RunningTask[];
  /** How many events there were. */
  readonly events: number;
  readonly skipped: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly failure: (TaskFailure & { readonly task: string }) | undefined;
}

export class Coordinator {
  readonly #group: Group;

  constructor(group: Group) {
    this.#group = group;
  }

  submit(job: JobSettings, description: Uint8Array, options: CallOptions): Promise<number> {
    const { leaseMs, attempts, backup, skip, spec } = job;
    const out = new Writer().byte(SUBMIT).number(spec.partitions).number(leaseMs);
    out.number(attempts).flag(backup).number(skip).bytes(description);
    return this.#write(out, options, (tag, from) =>
      tag === SUBMITTED ? from.number() : undefined,
    );
  }

  async addSplits(job: number, splits: readonly Split[], options: CallOptions): Promise<void> {
    for (let first = 0; first < splits.length; first += SPLITS_AT_ONCE) {
      const some = splits.slice(first, first + SPLITS_AT_ONCE);
      const out = new Writer().byte(ADD_SPLITS).number(job).number(first).number(some.length);
      for (const { source, start, end } of some) out.number(source).number(start).number(end);
      await this.#write(out, options, (tag, from) => (tag === SPLITS ? from.number() : undefined));
    }
  }

  async start(job: number, options: CallOptions): Promise<void> {
    await this.#write(new Writer().byte(START).number(job), options, phase);
  }

  async cancel(job: number, options: CallOptions = {}): Promise<void> {
    await this.#write(new Writer().byte(CANCEL).number(job), options, phase);
  }

  async forget(job: number, options: CallOptions): Promise<void> {
    await this.#write(
      new Writer().byte(FORGET).number(job),
      options,
      (tag) => tag === DONE || undefined,
    );
  }

  ask(worker: number, job: number): Promise<Assigned> {
    const out = new Writer().byte(ASK).number(worker).flag(true).number(job);
    return this.#write(out, {}, assigned);
  }

  /** Whether to go on. */
  async renew(
    worker: number,
    job: number,
    attempt: AttemptName,
    { records, bytes, at, next }: TaskProgress,
  ): Promise<"continue" | "stop"> {
    const out = named(RENEW, worker, job, attempt).number(records).number(bytes);
    return this.#write(out.number(at).number(next), {}, (tag, from) => {
      if (tag === CONTINUE) from.number();
      else if (tag === STOP) from.option(() => from.number());
      else if (tag === OVER) from.byte();
      else return undefined;
      return tag === CONTINUE ? "continue" : "stop";
    });
  }

  /** Whether this attempt's files are those that count. */
  async complete(
    worker: number,
    job: number,
    attempt: AttemptName,
    { sizes, counters }: TaskOutcome,
  ): Promise<boolean> {
    const out = named(COMPLETE, worker, job, attempt).number(sizes.length);
    for (const size of sizes) out.number(size);
    const rows = Object.entries(counters).map(
      ([name, value]) => [encoder.encode(name), value] as const,
    );
    rows.sort(([a], [b]) => compareBytes(a, b));
    out.number(rows.length);
    for (const [name, value] of rows) out.bytes(name).number(value);
    return this.#write(out, {}, (tag, from) => {
      if (tag === LOST_TO) from.number();
      else if (tag === OVER) from.byte();
      else if (tag !== WON && tag !== PROBED) return undefined;
      return tag === WON;
    });
  }

  async fail(
    worker: number,
    job: number,
    attempt: AttemptName,
    failure: TaskFailure,
  ): Promise<void> {
    const { record, code, message } = failure;
    const out = named(FAIL, worker, job, attempt).flag(record !== undefined);
    if (record !== undefined) out.number(record);
    out.bytes(encoder.encode(code)).bytes(encoder.encode(message));
    await this.#write(out, {}, phase);
  }

  async lost(worker: number, job: number, task: number, attempt: number): Promise<void> {
    await this.#write(named(LOST, worker, job, { kind: "map", task, attempt }), {}, phase);
  }

  async left(worker: number, died: boolean): Promise<void> {
    const out = new Writer().byte(LEFT).number(worker).flag(died);
    await this.#write(out, {}, (tag) => tag === DONE || undefined);
  }

  status(job: number, options: CallOptions = {}): Promise<JobStatus> {
    return this.#read(new Writer().byte(STATUS_OF).number(job), options, (tag, from) =>
      tag === STATUS ? status(job, from) : undefined,
    );
  }

  jobs(options: CallOptions = {}): Promise<JobSummary[]> {
    return this.#read(new Writer().byte(JOBS_OF), options, (tag, from) =>
      tag === JOBS
        ? from.list(() => ({
            id: from.number(),
            phase: phaseOf(from),
            map: tally(from),
            reduce: tally(from),
          }))
        : undefined,
    );
  }

  /** What happened from the position `after` on, and the position behind that. */
  events(
    job: number,
    after: number,
    options: CallOptions = {},
  ): Promise<{ readonly end: number; readonly events: readonly JobEvent[] }> {
    const out = new Writer().byte(EVENTS_OF).number(job).number(after).number(EVENTS_AT_ONCE);
    return this.#read(out, options, (tag, from) => {
      if (tag !== EVENTS) return undefined;
      const first = from.number();
      from.number();
      const events = from.list((at) => event(first + at, from));
      return { end: first + events.length, events };
    });
  }

  /** What was given with the job when it was submitted. */
  description(job: number, options: CallOptions): Promise<Uint8Array> {
    return this.#read(new Writer().byte(SPEC_OF).number(job), options, (tag, from) => {
      if (tag !== SPEC) return undefined;
      for (let field = 0; field < 3; field++) from.number();
      from.flag();
      from.number();
      return from.bytes();
    });
  }

  /** The attempts that won the partitions. */
  winners(job: number, options: CallOptions = {}): Promise<Winner[]> {
    return this.#read(new Writer().byte(OUTPUTS_OF).number(job), options, (tag, from) =>
      tag === OUTPUTS
        ? from.list(() => ({ attempt: from.number(), size: from.number() }))
        : undefined,
    );
  }

  async #write<T>(out: Writer, options: CallOptions, body: Body<T>): Promise<T> {
    return answer(await this.#group.execute(out.finish(), options), body);
  }

  async #read<T>(out: Writer, options: CallOptions, body: Body<T>): Promise<T> {
    return answer(await this.#group.query(out.finish(), options), body);
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function named(tag: number, worker: number, job: number, { kind, task, attempt }: AttemptName) {
  const out = new Writer().byte(tag).number(worker).number(job);
  return out.byte(KINDS.indexOf(kind)).number(task).number(attempt);
}

/** A reader that knows lists. */
class Lists extends Reader {
  list<T>(one: (at: number) => T): T[] {
    return Array.from({ length: this.number() }, (_, at) => one(at));
  }

  text(): string {
    return decoder.decode(this.bytes());
  }
}

type Body<T> = (tag: number, from: Lists) => T | undefined;

/** Reads a whole answer; a refusal is thrown. */
function answer<T>(reply: unknown, body: Body<T>): T {
  let found: T | undefined;
  try {
    const from = new Lists(reply as Uint8Array);
    const tag = from.byte();
    if (tag === FAILED) throw refusal(from.byte(), from.number());
    found = body(tag, from);
    if (!from.atEnd) found = undefined;
  } catch (error) {
    throw error instanceof RangeError ? unexpected(error) : error;
  }
  if (found === undefined) throw unexpected();
  return found;
}

const phase: Body<JobPhase> = (tag, from) => (tag === PHASE ? phaseOf(from) : undefined);

function phaseOf(from: Lists): JobPhase {
  const found = PHASES[from.byte()];
  if (found === undefined) throw new RangeError("no phase of a job");
  return found;
}

function kindOf(from: Lists): "map" | "reduce" | "publish" {
  const found = KINDS[from.byte()];
  if (found === undefined) throw new RangeError("no kind of a task");
  return found;
}

const attemptOf = (from: Lists) => ({
  kind: kindOf(from),
  task: from.number(),
  attempt: from.number(),
});

/** Numbers that ascend, each by how much it is above the one before. */
function ascending(from: Lists): number[] {
  let last = 0;
  return from.list(() => {
    last += from.number();
    return last;
  });
}

const assigned: Body<Assigned> = (tag, from) => {
  switch (tag) {
    case MAP: {
      from.number();
      const { task, attempt } = attemptOf(from);
      const split = { source: from.number(), start: from.number(), end: from.number() };
      const probe = from.option(() => ({ start: from.number(), end: from.number() }));
      const skip = ascending(from);
      from.number();
      return { kind: "map", task, attempt, split, skip, ...(probe && { probe }) };
    }
    case REDUCE: {
      from.number();
      const { task, attempt } = attemptOf(from);
      const maps = from.list(() => ({ task: from.number(), attempt: from.number() }));
      const skip = ascending(from);
      from.number();
      return { kind: "reduce", task, attempt, maps, skip };
    }
    case PUBLISH: {
      from.number();
      const { attempt } = attemptOf(from);
      from.list(() => from.number());
      from.number();
      return { kind: "publish", task: 0, attempt };
    }
    case WAIT:
      return { kind: "wait", ms: from.number() };
    case OVER:
      phaseOf(from);
      return { kind: "over" };
    default:
      return undefined;
  }
};

function tally(from: Lists): TaskCount {
  return { total: from.number(), completed: from.number(), bytes: from.number() };
}

function status(id: number, from: Lists): JobStatus {
  const phase = phaseOf(from);
  const now = from.number();
  from.number();
  from.option(() => from.number());
  from.option(() => from.number());
  const [map, reduce] = [tally(from), tally(from)];
  const input = { bytes: from.number(), read: from.number() };
  const skipped = from.number();
  const counters = Object.fromEntries(from.list(() => [from.text(), from.number()] as const));
  const running = from.list(() => {
    const attempt = attemptOf(from);
    const [worker, since] = [from.number(), from.number()];
    from.number();
    const isProbe = from.flag();
    const [records, bytes] = [from.number(), from.number()];
    from.number();
    from.number();
    return { ...attempt, worker, time: Math.max(0, now - since), isProbe, records, bytes };
  });
  const failure = from.option(() => {
    const { kind, task } = attemptOf(from);
    from.number();
    const record = from.option(() => from.number());
    const [given, message] = [from.text(), from.text()];
    // What a worker tells has a code already.
    const code = OWN_CODES[given] ?? (given as JobCode);
    const name = kind === "publish" ? kind : `${kind} ${task}`;
    return { task: name, code, message, ...(record !== undefined && { record }) };
  });
  const events = from.number();
  return { id, phase, map, reduce, input, running, skipped, counters, failure, events };
}

function event(number: number, from: Lists): JobEvent {
  const time = from.number();
  const what = EVENT_NAMES[from.byte()];
  if (what === undefined) throw new RangeError("no event of a job");
  const attempt = from.option(() => attemptOf(from));
  const worker = from.number();
  const detail = from.number();
  return {
    number,
    time,
    what,
    kind: attempt?.kind ?? "job",
    task: attempt?.task ?? 0,
    attempt: attempt?.attempt ?? 0,
    worker,
    detail: detailOf(what, detail),
  };
}

function detailOf(what: JobEvent["what"], detail: number): JobEvent["detail"] {
  if (what === "phase") return PHASES[detail] ?? "";
  // One more than where the record begins, or 0.
  if (what === "failed") return detail === 0 ? null : detail - 1;
  return detail;
}

/** By the number of the core's code; `#` is what it names. */
const REFUSALS: readonly (readonly [JobCode | "INVALID_ARGUMENT", string])[] = [
  ["INVALID_ARGUMENT", "the nodes do not know this command; they may run an older version"],
  ["UNKNOWN_JOB", "there is no job #"],
  ["JOB_RUNNING", "job # is started"],
  ["JOB_OVER", "job # is over"],
  ["JOB_RUNNING", "job # is not started"],
  ["JOB_RUNNING", "job # is not over; cancel it first"],
  ["INVALID_ARGUMENT", "a number of the job is beyond its bounds"],
  ["INVALID_ARGUMENT", "split # cannot be"],
  ["TOO_MANY_JOBS", "as many jobs as there may be are not over"],
  ["TOO_MANY_SPLITS", "there are too many map tasks: make them larger, or wait for other jobs"],
  ["TOO_MANY_COUNTERS", "the job has too many counters"],
  ["INVALID_ARGUMENT", "there is no task #"],
  ["WORKER_LOST", "there is no attempt # any more"],
  ["INVALID_ARGUMENT", "there is not a size for each partition"],
];

function refusal(number: number, named: number): Error {
  const [code, text] = REFUSALS[number - 1] ?? [
    "INVALID_ARGUMENT",
    `the nodes refuse this for a reason of a newer version (${number})`,
  ];
  const message = text.replace("#", String(named));
  if (code === "INVALID_ARGUMENT") return quorateError(code, message, { outcome: "not-applied" });
  return new JobError(code, message, { outcome: "not-applied" });
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const difference = (a[at] as number) - (b[at] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

const KINDS = ["map", "reduce", "publish"] as const;
const PHASES: readonly JobPhase[] = [
  "waiting",
  "mapping",
  "reducing",
  "publishing",
  "completed",
  "failed",
  "cancelled",
];
const EVENT_NAMES: readonly JobEvent["what"][] = [
  "phase",
  "given",
  "backup",
  "probe",
  "won",
  "beaten",
  "probed",
  "expired",
  "died",
  "left",
  "failed",
  "skipped",
  "gone",
];

const SUBMIT = 1;
const ADD_SPLITS = 2;
const START = 3;
const CANCEL = 4;
const FORGET = 5;
const ASK = 6;
const RENEW = 7;
const COMPLETE = 8;
const FAIL = 9;
const LOST = 10;
const LEFT = 11;

const STATUS_OF = 0x41;
const JOBS_OF = 0x42;
const EVENTS_OF = 0x43;
const SPEC_OF = 0x44;
const OUTPUTS_OF = 0x46;

const FAILED = 0;
const SUBMITTED = 1;
const SPLITS = 2;
const PHASE = 3;
const DONE = 4;
const MAP = 5;
const REDUCE = 6;
const PUBLISH = 7;
const WAIT = 8;
const OVER = 9;
const CONTINUE = 10;
const STOP = 11;
const WON = 12;
const LOST_TO = 13;
const PROBED = 14;
const STATUS = 15;
const JOBS = 16;
const EVENTS = 17;
const SPEC = 18;
const OUTPUTS = 20;

/** A command has at most 1 MiB. */
const SPLITS_AT_ONCE = 20_000;
const EVENTS_AT_ONCE = 1_000;
