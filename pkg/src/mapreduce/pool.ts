/** The workers that carry tasks out: each asks the coordinator for one after the other, through here. */

import { QuorateError, quorateError } from "../errors.js";
import type { Assigned, Coordinator } from "./coordinator.js";
import { JobError, type TaskFailure } from "./errors.js";
import type { FromTasks, JobSpec, TaskProgress, ToTasks } from "./protocol.js";
import type { ScratchPlace } from "./scratch.js";
import type { JobWorkers } from "./types.js";

/** A worker, as the pool uses it. */
export interface TaskLink {
  post(message: ToTasks): void;
  terminate(): Promise<void>;
}

export interface TaskEvents {
  message(message: FromTasks): void;
  failed(error: QuorateError): void;
}

export interface PoolParts {
  readonly coordinator: Coordinator;
  readonly scratch: ScratchPlace;
  readonly engine: Promise<WebAssembly.Module>;
  /** Starts a worker; resolves once its code has loaded. */
  spawn(id: number, events: TaskEvents): Promise<TaskLink>;
  /** Something happened to a job. */
  changed(job: number): void;
  /** Results are to be published, unless the signal is aborted before; resolves when they are. */
  publish(job: number, signal: AbortSignal): Promise<void>;
}

/** A job whose tasks the pool takes. */
interface Known {
  readonly spec: JobSpec;
  readonly leaseMs: number;
}

export class Pool implements JobWorkers {
  readonly #parts: PoolParts;
  readonly #workers = new Map<number, TaskWorker>();
  readonly #jobs = new Map<number, Known>();
  readonly #publishing = new Map<number, Publishing>();
  /** Nothing of these is to be published now. */
  readonly #held = new Set<number>();
  /** Wakes those who have nothing to do. */
  readonly #idle = new Set<() => void>();
  #isClosed = false;
  /** Workers that ended before they were given anything, one after the other. */
  #stillborn = 0;

  constructor(parts: PoolParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#workers.size;
  }

  list() {
    return [...this.#workers.values()].map(({ id, task }) => ({ id, task }));
  }

  async add(count = 1): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#start()));
  }

  async remove(count = 1): Promise<void> {
    const leaving = [...this.#workers.values()].slice(-count);
    await Promise.all(leaving.map((worker) => worker.leave()));
  }

  async kill(id: number): Promise<void> {
    const worker = this.#workers.get(id);
    if (worker === undefined)
      throw quorateError("INVALID_ARGUMENT", `there is no worker ${String(id)}`);
    await worker.end(quorateError("NODE_KILLED", `worker ${id} was killed`));
  }

  /** Its tasks are carried out from now on. */
  take(job: number, spec: JobSpec, leaseMs: number): void {
    this.#jobs.set(job, { spec, leaseMs });
    this.wake();
  }

  /** It is over. Who still does something for it stops; resolves when nobody does any more. */
  async drop(job: number): Promise<void> {
    this.#jobs.delete(job);
    await Promise.all([...this.#workers.values()].map((worker) => worker.forget(job)));
  }

  /** Does something while nothing of a job is being published; what is at its last step comes to its end before. */
  async unpublished(job: number, work: () => Promise<void>): Promise<void> {
    this.#held.add(job);
    try {
      const publishing = this.#publishing.get(job);
      publishing?.stop.abort();
      await publishing?.over;
      await work();
    } finally {
      this.#held.delete(job);
    }
  }

  /** Publishes with a signal that says when not to. Whoever lost its lease over it comes to its end before the next one begins. */
  async #publish(job: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    for (let before = this.#publishing.get(job); before; before = this.#publishing.get(job))
      await before.over.catch(() => {});
    if (this.#held.has(job)) return;
    const stop = new AbortController();
    const over = work(stop.signal);
    this.#publishing.set(job, { stop, over });
    await over.finally(() => this.#publishing.delete(job));
  }

  /** There may be something to do. */
  wake(): void {
    for (const wake of [...this.#idle]) wake();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.wake();
    await Promise.all(
      [...this.#workers.values()].map((worker) =>
        worker.end(quorateError("CLOSED", "the cluster was closed")),
      ),
    );
  }

  async #start(): Promise<void> {
    const id = workerId();
    const worker = new TaskWorker(id, this.#parts, {
      find: (signal) => this.#find(id, signal),
      spec: (job) => this.#jobs.get(job),
      wake: () => this.wake(),
      publish: (job, work) => this.#publish(job, work),
      ended: (did) => this.#ended(worker, did),
    });
    this.#workers.set(id, worker);
    try {
      await worker.open();
    } catch (error) {
      this.#workers.delete(id);
      throw error;
    }
    void worker.work();
  }

  /** Another takes the place of one that died, unless none of them lives. */
  #ended(worker: TaskWorker, how: "left" | "died"): void {
    if (!this.#workers.delete(worker.id) || this.#isClosed || how === "left") return;
    this.#stillborn = worker.didSomething ? 0 : this.#stillborn + 1;
    if (this.#stillborn > STILLBORN_MAX) return;
    this.#start().catch(() => {
      this.#stillborn += 1;
    });
  }

  /** The next task for a worker; none when the pool closes or the worker leaves. */
  async #find(worker: number, signal: AbortSignal): Promise<Found | undefined> {
    while (!this.#isClosed && !signal.aborted) {
      let waitMs = IDLE_MS;
      for (const job of [...this.#jobs.keys()]) {
        const assigned = await this.#parts.coordinator.ask(worker, job);
        if (assigned.kind === "over") {
          void this.drop(job);
          this.#parts.changed(job);
        } else if (assigned.kind === "wait") waitMs = Math.min(waitMs, assigned.ms);
        else {
          this.#parts.changed(job);
          return { job, assigned };
        }
      }
      await this.#pause(waitMs, signal);
    }
    return undefined;
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#idle.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#idle.add(wake);
      signal.addEventListener("abort", wake);
    });
  }
}

/** Results on their way out: what keeps them from it, and the end of it, which is the coordinator's word. */
interface Publishing {
  readonly stop: AbortController;
  readonly over: Promise<void>;
}

interface Found {
  readonly job: number;
  readonly assigned: Exclude<Assigned, { kind: "wait" | "over" }>;
}

interface WorkerEvents {
  find(signal: AbortSignal): Promise<Found | undefined>;
  spec(job: number): Known | undefined;
  wake(): void;
  publish(job: number, work: (signal: AbortSignal) => Promise<void>): Promise<void>;
  ended(how: "left" | "died"): void;
}

/** What a worker does now. */
interface Running {
  readonly job: number;
  readonly assigned: Found["assigned"];
  readonly end: (message: FromTasks | undefined) => void;
  readonly ended: Promise<FromTasks | undefined>;
  heard: number;
}

class TaskWorker {
  readonly id: number;
  didSomething = false;
  readonly #parts: PoolParts;
  readonly #events: WorkerEvents;
  readonly #leaving = new AbortController();
  readonly #told = new Set<number>();
  #link: TaskLink | undefined;
  #running: Running | undefined;
  #over: Promise<void> | undefined;
  #left: Promise<void> = Promise.resolve();

  constructor(id: number, parts: PoolParts, events: WorkerEvents) {
    this.id = id;
    this.#parts = parts;
    this.#events = events;
  }

  /** What it does, in a word. */
  get task(): string | null {
    const assigned = this.#running?.assigned;
    if (assigned === undefined) return null;
    return assigned.kind === "publish" ? "publish" : `${assigned.kind} ${assigned.task}`;
  }

  async open(): Promise<void> {
    const { scratch } = this.#parts;
    const engine = await this.#parts.engine;
    this.#link = await this.#parts.spawn(this.id, {
      message: (message) => this.#hear(message),
      failed: (error) => void this.end(error),
    });
    // It took its time; meanwhile it may have been ended.
    if (this.#over !== undefined) return this.#link.terminate();
    this.#link.post({ type: "open", scratch, engine });
  }

  /** One task after the other, until it leaves or ends. */
  async work(): Promise<void> {
    let finished = () => {};
    this.#left = new Promise((resolve) => {
      finished = resolve;
    });
    try {
      while (this.#over === undefined) {
        const found = await this.#retrying(() => this.#events.find(this.#leaving.signal));
        if (found === undefined || this.#over !== undefined) break;
        await this.#carryOut(found);
      }
    } finally {
      finished();
    }
  }

  /** Finishes what it does, and ends. */
  async leave(): Promise<void> {
    this.#leaving.abort();
    await this.#left;
    await this.end(undefined);
  }

  /** Ends it where it stands. */
  end(why: QuorateError | undefined): Promise<void> {
    this.#over ??= this.#end(why);
    return this.#over;
  }

  async #end(why: QuorateError | undefined): Promise<void> {
    this.#leaving.abort();
    const { coordinator } = this.#parts;
    const running = this.#running;
    await this.#link?.terminate();
    running?.end(undefined);
    if (why?.code !== "CLOSED") {
      // At once, rather than when its lease ends.
      if (running !== undefined) await coordinator.left(this.id, why !== undefined).catch(() => {});
      this.#events.ended(why === undefined ? "left" : "died");
      this.#events.wake();
    }
  }

  /** Resolves when it does nothing for the job any more. */
  async forget(job: number): Promise<void> {
    const running = this.#running?.job === job ? this.#running : undefined;
    if (running !== undefined) this.#link?.post({ type: "stop" });
    if (this.#told.delete(job)) this.#link?.post({ type: "forget", job });
    await running?.ended;
  }

  async #carryOut({ job, assigned }: Found): Promise<void> {
    const { coordinator, changed } = this.#parts;
    const known = this.#events.spec(job);
    if (known === undefined) return;
    if (assigned.kind === "publish")
      return this.#events.publish(job, (signal) => this.#publish(job, assigned, known, signal));
    this.didSomething = true;
    if (!this.#told.has(job)) {
      this.#told.add(job);
      this.#link?.post({ type: "job", job, spec: known.spec });
    }
    let end: Running["end"] = () => {};
    const ended = new Promise<FromTasks | undefined>((resolve) => {
      end = resolve;
    });
    const running: Running = { job, assigned, end, ended, heard: performance.now() };
    this.#running = running;
    const timer = this.#watch(running, known.leaseMs);
    this.#link?.post({ type: "run", job, assignment: assigned });
    const message = await ended;
    clearInterval(timer);
    this.#running = undefined;
    if (message === undefined || this.#over !== undefined) return;
    if (message.type === "done")
      await this.#retrying(() => coordinator.complete(this.id, job, assigned, message.outcome));
    if (message.type === "failed") {
      const { lost, failure } = message;
      if (lost !== undefined)
        await this.#retrying(() => coordinator.lost(this.id, job, lost.task, lost.attempt));
      await this.#retrying(() => coordinator.fail(this.id, job, assigned, failure));
    }
    changed(job);
    this.#events.wake();
  }

  async #publish(
    job: number,
    assigned: Assigned & { kind: "publish" },
    known: Known,
    signal: AbortSignal,
  ) {
    const { coordinator, publish, changed } = this.#parts;
    let isOver = false;
    const timer = setInterval(
      () => void coordinator.renew(this.id, job, assigned, NOTHING_YET).catch(() => {}),
      known.leaseMs / 3,
    );
    try {
      await publish(job, signal);
      isOver = true;
    } catch (error) {
      // Whoever stopped it ends the job.
      if (signal.aborted) return;
      const failure = asFailure(error);
      await this.#retrying(() => coordinator.fail(this.id, job, assigned, failure));
    } finally {
      clearInterval(timer);
    }
    if (isOver)
      await this.#retrying(() =>
        coordinator.complete(this.id, job, assigned, { sizes: [0], counters: {} }),
      );
    changed(job);
    this.#events.wake();
  }

  #hear(message: FromTasks): void {
    const running = this.#running;
    if (running === undefined) return;
    running.heard = performance.now();
    if (message.type === "progress") return void this.#renew(running, message.progress);
    if (message.type !== "hello") running.end(message);
  }

  async #renew(running: Running, progress: TaskProgress): Promise<void> {
    const { job, assigned } = running;
    try {
      const word = await this.#parts.coordinator.renew(this.id, job, assigned, progress);
      this.#parts.changed(job);
      if (word === "stop" && this.#running === running) this.#link?.post({ type: "stop" });
    } catch {
      // There may be no leader: the lease stands still with the log's time.
    }
  }

  /** Whoever says nothing for a lease is in a function of the job that does not return, and is ended. */
  #watch(running: Running, leaseMs: number): ReturnType<typeof setInterval> {
    return setInterval(() => {
      if (performance.now() - running.heard < leaseMs) return;
      void this.end(new JobError("WORKER_LOST", `it said nothing for ${leaseMs} ms and was ended`));
    }, leaseMs / 4);
  }

  /** A call that failed for want of a leader is made again, until it comes to something or the worker ends. */
  async #retrying<T>(call: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const mayPass = error instanceof QuorateError && error.retryable;
        if (!mayPass || this.#over !== undefined) return undefined;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}

function asFailure(error: unknown): TaskFailure {
  const { code, message } = error as { code?: TaskFailure["code"]; message?: string };
  return { code: code ?? "OUTPUT_FAILED", message: message ?? String(error) };
}

/** One that nobody had before. */
function workerId(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high % 0x20_0000) * 0x1_0000_0000 + low;
}

const NOTHING_YET: TaskProgress = { records: 0, bytes: 0, at: 0, next: 1 };
/** How long a worker without a task waits before it asks again, if nothing wakes it. */
const IDLE_MS = 1_000;
const RETRY_MS = 200;
/** So many workers that die before they do anything are not replaced any more. */
const STILLBORN_MAX = 8;
