/** A job under way, as its caller sees it. */

import type { CallOptions } from "../types.js";
import type { Coordinator, JobStatus } from "./coordinator.js";
import { JobError } from "./errors.js";
import type { JobEvent, JobPhase, JobProgress, JobResult, RunningJob } from "./types.js";

export interface JobParts {
  readonly id: number;
  readonly coordinator: Coordinator;
  /** Ends it, unless it is over. */
  cancel(): Promise<void>;
  /** Reads what came of it. */
  result(status: JobStatus): Promise<JobResult>;
  /** It is over, whatever came of it. */
  over(): void;
}

export class LiveJob implements RunningJob {
  readonly id: number;
  readonly progress: AsyncIterable<JobProgress>;
  readonly events: AsyncIterable<JobEvent>;
  readonly #parts: JobParts;
  #now: JobStatus | undefined;
  #watchers = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking = false;
  #again = false;
  #closed: Error | undefined;
  readonly #result: Promise<JobResult>;
  #settle!: { resolve(result: JobResult): void; reject(error: unknown): void };

  constructor(parts: JobParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.#result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever does not ask for the result need not hear of an error.
    this.#result.catch(() => {});
    this.progress = { [Symbol.asyncIterator]: () => this.#pictures() };
    this.events = { [Symbol.asyncIterator]: () => this.#happenings() };
    this.look();
  }

  result(): Promise<JobResult> {
    return this.#result;
  }

  async cancel(): Promise<void> {
    await this.#parts.cancel();
    this.look();
    await this.#result.catch(() => {});
  }

  async history(options: CallOptions = {}): Promise<readonly JobEvent[]> {
    const all: JobEvent[] = [];
    for (let after = 0; ; ) {
      const { events, end } = await this.#parts.coordinator.events(this.id, after, options);
      if (events.length === 0) return all;
      all.push(...events);
      after = end;
    }
  }

  /** Something happened: finds out how far it is, soon. */
  look(): void {
    this.#again = true;
    if (this.#looking || isOver(this.#now) || this.#closed !== undefined) return;
    this.#looking = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), LOOK_MS);
  }

  /** Nobody carries it out here any more. */
  close(error: Error): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    clearTimeout(this.#timer);
    this.#settle.reject(error);
    this.#wake();
  }

  async #look(): Promise<void> {
    this.#again = false;
    try {
      const status = await this.#parts.coordinator.status(this.id);
      if (this.#closed !== undefined) return;
      this.#now = status;
      this.#wake();
      if (isOver(status)) await this.#end(status);
    } catch (error) {
      // Without a leader there is nothing to see; the job goes on when there is one.
      if ((error as { retryable?: boolean }).retryable !== true) this.close(error as Error);
    } finally {
      this.#looking = false;
      if (!isOver(this.#now) && this.#closed === undefined) {
        if (this.#again) this.look();
        else this.#timer = setTimeout(() => this.look(), IDLE_MS);
      }
    }
  }

  async #end(status: JobStatus): Promise<void> {
    this.#parts.over();
    const { id } = this;
    if (status.phase === "completed") {
      await this.#parts.result(status).then(this.#settle.resolve, this.#settle.reject);
    } else if (status.phase === "cancelled") {
      this.#settle.reject(new JobError("JOB_CANCELLED", `job ${id} was cancelled`, { job: id }));
    } else this.#settle.reject(failed(id, status));
  }

  #wake(): void {
    for (const wake of [...this.#watchers]) wake();
  }

  async *#pictures(): AsyncGenerator<JobProgress> {
    let last: JobStatus | undefined;
    for (;;) {
      while (this.#now === undefined || this.#now === last) await this.#change();
      last = this.#now;
      yield pictureOf(last);
      if (isOver(last)) return;
    }
  }

  async *#happenings(): AsyncGenerator<JobEvent> {
    for (let after = 0; ; ) {
      while (!isOver(this.#now) && (this.#now?.events ?? 0) <= after) await this.#change();
      const { events, end } = await this.#parts.coordinator.events(this.id, after);
      yield* events;
      after = end;
      if (events.length === 0 && isOver(this.#now)) return;
    }
  }

  /** Resolves when there is another picture of it. */
  #change(): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
    return new Promise((resolve) => {
      const wake = () => {
        this.#watchers.delete(wake);
        resolve();
      };
      this.#watchers.add(wake);
    });
  }
}

/** What a caller sees of a status. */
export function pictureOf(status: JobStatus): JobProgress {
  const { id, phase, map, reduce, running, skipped } = status;
  const { bytes } = status.input;
  const reading = running.filter(({ kind, isProbe }) => kind === "map" && !isProbe);
  // Two may read the same, and each beyond the end of its split.
  const read = reading.reduce((sum, task) => sum + task.bytes, status.input.read);
  const input = { bytes, read: Math.min(read, bytes) };
  return Object.freeze({ id, phase, map, reduce, input, running, skipped });
}

const OVER: readonly JobPhase[] = ["completed", "failed", "cancelled"];
export const isOver = (status: Pick<JobStatus, "phase"> | undefined) =>
  status !== undefined && OVER.includes(status.phase);

/** Why a job failed: by the task whose failures were too many. */
function failed(id: number, { failure }: JobStatus): JobError {
  if (failure === undefined) return new JobError("JOB_FAILED", `job ${id} failed`, { job: id });
  const { task, record, code, message } = failure;
  const where = record === undefined ? task : `${task}, record at ${record}`;
  return new JobError("JOB_FAILED", `job ${id} failed in ${where}: ${message}`, {
    job: id,
    task,
    record,
    cause: new JobError(code, message, { job: id, task, record }),
  });
}

/** Changes that come together are looked at together. */
const LOOK_MS = 50;
/** How often it is looked at where nothing is heard. */
const IDLE_MS = 500;
