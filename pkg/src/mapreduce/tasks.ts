/** What a worker for tasks does: takes jobs and tasks from its owner, one task at a time. */

import { addCodes } from "../errors.js";
import { failureOf, JOB_CODES, JobError } from "./errors.js";
import type {
  Assignment,
  FromTasks,
  JobSpec,
  TaskOutcome,
  TaskProgress,
  ToTasks,
} from "./protocol.js";
import type { Scratch, ScratchPlace } from "./scratch.js";
import type { ReadSource } from "./source.js";
import { type AnyJob, loadJob } from "./user-job.js";

/** What differs between workers. */
export interface TaskScope {
  post(message: FromTasks): void;
  /** Makes the engine ready. */
  load(engine: WebAssembly.Module): void;
  openScratch(place: ScratchPlace): Promise<Scratch>;
  readonly readSource: ReadSource;
}

/** A task under way, as its parts see it. */
export interface Run {
  readonly job: number;
  readonly spec: JobSpec;
  readonly scratch: Scratch;
  readonly readSource: ReadSource;
  /** Says how far it is, now and then, or `now`; throws if it is not to go on. */
  report(progress: TaskProgress, now?: boolean): void;
}

/** Carries out a task of a job of the user's own, or of one that is built in. */
export interface Carrier {
  map(run: Run, assignment: Assignment & { kind: "map" }): Promise<TaskOutcome>;
  reduce(run: Run, assignment: Assignment & { kind: "reduce" }): Promise<TaskOutcome>;
}

/** A map's output cannot be read. */
export class LostRun extends JobError {
  readonly lost: { readonly task: number; readonly attempt: number };

  constructor(lost: { readonly task: number; readonly attempt: number }, cause: unknown) {
    super("SCRATCH_DAMAGED", cause instanceof Error ? cause.message : String(cause), { cause });
    this.lost = lost;
  }
}

/** Takes the owner's messages. Says `hello` first. */
export function serveTasks(
  scope: TaskScope,
  carrierOf: (spec: JobSpec, job: AnyJob | undefined) => Carrier,
): (message: ToTasks) => void {
  addCodes(JOB_CODES);
  const jobs = new Map<number, { readonly spec: JobSpec; carrier?: Promise<Carrier> }>();
  let scratch: Promise<Scratch> | undefined;
  let stop: AbortController | undefined;

  const carry = async (job: number, assignment: Assignment, signal: AbortSignal) => {
    const known = jobs.get(job);
    if (known === undefined || scratch === undefined) throw new Error("it knows no such job");
    const { spec } = known;
    known.carrier ??= makeCarrier(spec);
    const carrier = await known.carrier;
    const run: Run = {
      ...{ job, spec, readSource: scope.readSource },
      scratch: await scratch,
      report: reporter(scope, signal),
    };
    return assignment.kind === "map"
      ? carrier.map(run, assignment)
      : carrier.reduce(run, assignment);
  };
  const makeCarrier = async (spec: JobSpec) => {
    return carrierOf(spec, "url" in spec.job ? await loadJob(spec.job.url) : undefined);
  };

  scope.post({ type: "hello" });
  return (message) => {
    switch (message.type) {
      case "open":
        scope.load(message.engine);
        scratch = scope.openScratch(message.scratch);
        // Whoever carries out a task hears of it.
        scratch.catch(() => {});
        return;
      case "job":
        jobs.set(message.job, { spec: message.spec });
        return;
      case "forget":
        jobs.delete(message.job);
        return;
      case "stop":
        return stop?.abort();
      case "run": {
        stop = new AbortController();
        const { signal } = stop;
        carry(message.job, message.assignment, signal).then(
          (outcome) => scope.post({ type: "done", outcome }),
          (error: unknown) => {
            if (signal.aborted) return scope.post({ type: "stopped" });
            const failure = failureOf(error, "JOB_FAILED");
            const lost = error instanceof LostRun ? error.lost : undefined;
            scope.post({ type: "failed", failure, ...(lost && { lost }) });
          },
        );
      }
    }
  };
}

/** Says how far a task is, not too often, and lets the owner's messages in where there is time. */
function reporter(scope: TaskScope, signal: AbortSignal): Run["report"] {
  let said = performance.now();
  return (progress, atOnce = false) => {
    if (signal.aborted) throw new JobError("JOB_CANCELLED", "the task is not wanted any more");
    const now = performance.now();
    if (!atOnce && now - said < REPORT_MS) return;
    said = now;
    scope.post({ type: "progress", progress });
  };
}

const REPORT_MS = 100;
