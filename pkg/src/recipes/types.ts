/// <reference lib="esnext.disposable" />
/** The public shapes of the recipes: what a caller gives and gets. No code. */

import type { Json, Operation } from "../kv/types.js";
import type { CallOptions } from "../types.js";

/**
 * What can be built on the store alone. Names are text of 1 to 200 bytes in UTF-8; those of a lock and of a queue have
 * nothing to do with one another. `docs/recipes.md` says for each what it guarantees, and which keys it uses.
 */
export interface Recipes {
  /**
   * Waits for the lock, in the order in which those who want it came, and takes it. Fails with `TIMEOUT`, `ABORTED`, with
   * `LOCK_LOST` where the place in the line was lost while waiting, or as the store does; it has no place then.
   */
  lock(name: string, options?: HoldOptions): Promise<Lock>;
  /** Takes the lock if nobody has it and nobody waits for it; else resolves to null. */
  tryLock(name: string, options?: HoldOptions): Promise<Lock | null>;
  /** One leader among those who campaign. */
  election<T extends Json = Json>(name: string): Election<T>;
  /** At most so many holders at a time: 1 to 1,000. Everyone must give the same number. */
  semaphore(name: string, permits: number): Semaphore;
  /** Others wait as long as anyone holds it. */
  barrier(name: string): Barrier;
  /** Rounds of so many that begin together and end together: 1 to 1,000. Everyone must give the same number. */
  doubleBarrier(name: string, participants: number): DoubleBarrier;
  /** Values that wait to be taken, each once. */
  queue<T extends Json = Json>(name: string, options?: QueueOptions): Queue<T>;
  /** A number that many add to. */
  counter(name: string): Counter;
  /**
   * Runs a function on exactly one at a time of those who ask for it, for as long as that one leads; then on another.
   * It begins by itself, and goes on until `stop`.
   */
  leaderTask(name: string, run: TaskFunction, options?: LeaderTaskOptions): LeaderTask;
}

/** What recipes that wait take. */
export interface WaitOptions {
  /** Ends the waiting with `ABORTED`. */
  readonly signal?: AbortSignal;
  /**
   * How many milliseconds it may take in all; then `TIMEOUT`. Default: any time, as long as the store answers. A store that
   * does not answer ends it by the cluster's `deadline`.
   */
  readonly timeout?: number;
}

/** What recipes that tell of changes take. */
export interface ListenOptions {
  /** Ends the loop with `ABORTED`. */
  readonly signal?: AbortSignal;
}

/** What recipes that hold something take. */
export interface HoldOptions extends WaitOptions {
  /**
   * How many milliseconds what is held, and the place in the line, outlive the last sign of life of their holder.
   * 100 to 86,400,000. Default 10,000.
   */
  readonly ttl?: number;
}

/** Something that one process holds, until it releases it or cannot be heard for `ttl` milliseconds. */
export interface Hold {
  /** Of what. */
  readonly name: string;
  /**
   * The fencing token: whoever holds it later has a greater one. Give it along to whatever the holder writes to, and let that
   * refuse tokens smaller than the greatest it has seen.
   */
  readonly token: number;
  /**
   * Holds as long as this is held, for transactions: `kv.txn({ if: [lock.condition], do: [...] })` does nothing once
   * it was lost, whatever its holder believes.
   */
  readonly condition: HoldCondition;
  /**
   * Aborted as soon as this may no longer be held. Its reason is an error with the code `LOCK_LOST`, or `LEADERSHIP_LOST`
   * for leaders; after a release by its own holder, `ABORTED`.
   */
  readonly lost: AbortSignal;
  /** Gives it up. Does nothing if it is given up or lost. If the store cannot be reached it ends by itself after `ttl`. */
  release(options?: CallOptions): Promise<void>;
  /** As `release`, but gives up quietly where the store cannot be reached. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A condition for transactions of any codec. */
export interface HoldCondition {
  /** The key of what is held. */
  readonly key: string;
  /** The revision that created it: the token. */
  readonly createRevision: number;
}

/** A lock that is held. */
export interface Lock extends Hold {}

/** One of a semaphore's permits. Several hold one at a time, so the greatest `token` is not the only valid one. */
export interface Permit extends Hold {}

/** A semaphore. */
export interface Semaphore {
  /** Its name. */
  readonly name: string;
  /** How many hold a permit at a time, at most. */
  readonly permits: number;
  /**
   * Waits for a permit, in the order of those who came, and takes it. `INVALID_ARGUMENT` if the semaphore is in use with
   * another number of permits; else it fails as `lock` does.
   */
  acquire(options?: HoldOptions): Promise<Permit>;
  /** Takes a permit if there is one and nobody waits; else resolves to null. */
  tryAcquire(options?: HoldOptions): Promise<Permit | null>;
}

/** An election. */
export interface Election<T extends Json = Json> {
  /** Its name. */
  readonly name: string;
  /**
   * Waits in the order of those who came, and leads. The value says what others shall know of the leader, as its address.
   * Fails as `lock` does, with `LEADERSHIP_LOST` in place of `LOCK_LOST`.
   */
  campaign(value: T, options?: HoldOptions): Promise<Tenure<T>>;
  /** Who leads, or null. */
  leader(options?: CallOptions): Promise<ElectedLeader<T> | null>;
  /**
   * Tells who leads, first at once, then whenever another one does or the leader proclaims another value; null while nobody
   * does. Of changes in quick succession it may tell only the last. Runs until the loop is left, or the signal.
   */
  observe(options?: ListenOptions): AsyncIterableIterator<ElectedLeader<T> | null, undefined>;
}

/** Who leads. */
export interface ElectedLeader<T extends Json = Json> {
  /** What it says of itself. */
  readonly value: T;
  /** Its fencing token. */
  readonly token: number;
}

/** The time for which one leads. */
export interface Tenure<T extends Json = Json> extends Hold {
  /** What others know of it. */
  readonly value: T;
  /** Lets others know another value. `LEADERSHIP_LOST` if it no longer leads. */
  proclaim(value: T, options?: CallOptions): Promise<void>;
  /** The same as `release`: the next one leads. */
  resign(options?: CallOptions): Promise<void>;
}

/** A barrier. */
export interface Barrier {
  /** Its name. */
  readonly name: string;
  /** Holds the others back, until this is released or its holder dies. Several can hold at a time. */
  hold(options?: HoldOptions): Promise<Hold>;
  /** Ends every hold there is, whoever has it. */
  release(options?: CallOptions): Promise<void>;
  /** Resolves when nobody holds it. */
  wait(options?: WaitOptions): Promise<void>;
}

/** A barrier at the beginning and at the end. */
export interface DoubleBarrier {
  /** Its name. */
  readonly name: string;
  /** How many make a round. */
  readonly participants: number;
  /**
   * Resolves when the round is full. Who dies or gives up before then does not count. `INVALID_ARGUMENT` if the barrier is
   * in use with another number of participants; else it fails as `lock` does.
   */
  enter(options?: HoldOptions): Promise<Participation>;
}

/** A part taken in what began with a double barrier. */
export interface Participation extends Hold {
  /** Is done, and resolves when all others are, too; who dies is. */
  leave(options?: WaitOptions): Promise<void>;
}

/** What `queue` takes. */
export interface QueueOptions {
  /** How many values may wait, 1 to 1,000,000. All who put values in must give the same. Default: any number. */
  readonly capacity?: number;
}

/** What `enqueue` takes. */
export interface EnqueueOptions extends WaitOptions {
  /** The greater, the sooner it is taken: -1,000 to 1,000. Values of one priority are taken in order. Default 0. */
  readonly priority?: number;
  /** Wait while the queue is full; if not, fail with `QUEUE_FULL`. Default true. */
  readonly wait?: boolean;
}

/** A queue. */
export interface Queue<T extends Json = Json> extends AsyncIterable<T> {
  /** Its name. */
  readonly name: string;
  /** Puts a value in. Waits as long as the queue is full. */
  enqueue(value: T, options?: EnqueueOptions): Promise<void>;
  /**
   * Waits for a value, and removes it: nobody else gets it. It is gone if the taker dies with it, or if this fails with the
   * `outcome` `"unknown"`, which only happens when it is aborted, timed out or closed in the middle of a removal.
   */
  take(options?: WaitOptions): Promise<T>;
  /** As `take`, but resolves to undefined where there is nothing to take. */
  tryTake(options?: WaitOptions): Promise<T | undefined>;
  /** Waits for a value, and claims it: if the taker dies, or does not say `done`, another one gets it. */
  claim(options?: HoldOptions): Promise<Claim<T>>;
  /** Takes one value after another, as `take` does, each when it is asked for. */
  values(options?: ListenOptions): AsyncIterableIterator<T, undefined>;
  /** How many values are in it, claimed ones counted. */
  size(options?: CallOptions): Promise<number>;
}

/** A value that one taker works on. */
export interface Claim<T extends Json = Json> extends Hold {
  /** What was put in. */
  readonly value: T;
  /**
   * Removes the value for good, and does the given operations in the same transaction: so they are done once for each
   * value, however often its takers die. If it fails with the `outcome` `"unknown"`, it can be repeated. `LOCK_LOST` if the
   * claim was lost: nothing was done then, unless by an earlier attempt whose outcome was unknown.
   */
  done(operations?: readonly Operation<Json>[], options?: CallOptions): Promise<void>;
}

/** A counter. */
export interface Counter {
  /** Its name. */
  readonly name: string;
  /** Adds an integer, and resolves to the sum. Exactly once, or not at all; if that is not known, `outcome` says so. */
  add(by?: number, options?: CallOptions): Promise<number>;
  /** What it stands at; 0 at first. */
  get(options?: CallOptions): Promise<number>;
  /** Tells what it stands at, then whenever that changes; of changes in quick succession it may tell only the last. */
  watch(options?: ListenOptions): AsyncIterableIterator<number, undefined>;
}

/**
 * What a leader task runs. The signal is aborted when it shall end: leadership is lost, or the task was stopped. It must
 * then stop soon, since another one may begin already when leadership was lost.
 */
export type TaskFunction = (signal: AbortSignal, tenure: TaskTenure) => unknown;

/** What a leader task knows of its time as leader. */
export interface TaskTenure {
  /** The fencing token, as of a lock. */
  readonly token: number;
  /** Holds in transactions while it leads. */
  readonly condition: HoldCondition;
}

/** What `leaderTask` takes. */
export interface LeaderTaskOptions {
  /** As for a lock. Default 10,000. */
  readonly ttl?: number;
  /** What others shall know of it: a leader task is a candidate of the election of its name. Default null. */
  readonly value?: Json;
  /** Stops the task. */
  readonly signal?: AbortSignal;
  /**
   * Gets what the function throws. With it, the task goes on: another one leads at once, and this one campaigns again after
   * a pause. Without it the task ends here, and `ended` rejects. Also gets the store's errors, which never end the task.
   */
  readonly onError?: (error: unknown) => void;
  /**
   * How many milliseconds the pause after a failure takes: at first, and at most. It doubles with each failure in a row.
   * Default 1,000 and 30,000.
   */
  readonly pause?: { readonly first?: number; readonly most?: number };
}

/** A task that runs where it leads. */
export interface LeaderTask {
  /** Its name, and that of its election. */
  readonly name: string;
  /** The token while the function runs here, else undefined. */
  readonly token: number | undefined;
  /**
   * Resolves when the task has ended here: its function returned, it was stopped, or the cluster was closed. Rejects with what
   * the function threw where there is no `onError`, or with an error of the store that waiting does not mend.
   */
  readonly ended: Promise<void>;
  /**
   * Ends the task here: aborts the function's signal, waits for the function, and lets another one lead. If the function has not
   * ended by the timeout or signal, leadership is given up all the same.
   */
  stop(options?: WaitOptions): Promise<void>;
  /** As `stop`. */
  [Symbol.asyncDispose](): Promise<void>;
}
