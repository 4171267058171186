/** A leader task: a function that runs where an election is won, for as long as that lasts. */

import { onAbort } from "../abort.js";
import { checkBounds } from "../bounded.js";
import { integer, invalid, record, show, signalOf } from "../check.js";
import { QuorateError, quorateError } from "../errors.js";
import type { Json } from "../kv/types.js";
import { election } from "./election.js";
import { checked, checkValue, type Store, ttlMs, WAIT } from "./name.js";
import { leave } from "./place.js";
import type {
  Election,
  LeaderTask,
  LeaderTaskOptions,
  TaskFunction,
  Tenure,
  WaitOptions,
} from "./types.js";
import { pause, within } from "./within.js";

const FIELDS = ["ttl", "value", "signal", "onError", "pause"] as const;
const MAX_PAUSE_MS = 86_400_000;

export function leaderTask(
  store: Store,
  name: string,
  run: TaskFunction,
  options?: LeaderTaskOptions,
): LeaderTask {
  const candidates = election<Json>(store, name);
  if (typeof run !== "function") throw invalid(`what a task runs is a function, not ${show(run)}`);
  const { ttl, value = null, signal, onError, pause = {} } = checked(options, FIELDS);
  if (onError !== undefined && typeof onError !== "function") {
    throw invalid(`"onError" is a function, not ${show(onError)}`);
  }
  checkValue(value);
  record(pause, '"pause"', ["first", "most"]);
  const { most = 30_000 } = pause;
  integer(most, '"pause.most"', 1, MAX_PAUSE_MS);
  const { first = Math.min(1_000, most) } = pause;
  integer(first, '"pause.first"', 1, most);
  return new Task(candidates, run, {
    ttl: ttlMs(ttl),
    value,
    signal: signalOf(signal),
    onError,
    // Doubles with each failure in a row.
    pauseMs: (failures) => Math.min(most, first * 2 ** (failures - 1)),
  });
}

interface Settings {
  readonly ttl: number;
  readonly value: Json;
  readonly signal: AbortSignal | undefined;
  readonly onError: ((error: unknown) => void) | undefined;
  readonly pauseMs: (failures: number) => number;
}

class Task implements LeaderTask {
  readonly name: string;
  readonly ended: Promise<void>;
  readonly #election: Election<Json>;
  readonly #run: TaskFunction;
  readonly #settings: Settings;
  readonly #stop = new AbortController();
  #tenure: Tenure<Json> | undefined;

  constructor(candidates: Election<Json>, run: TaskFunction, settings: Settings) {
    this.name = candidates.name;
    this.#election = candidates;
    this.#run = run;
    this.#settings = settings;
    const { signal } = settings;
    const stop = () => this.#stop.abort(stopped(this.name));
    if (signal?.aborted) stop();
    const deaf = onAbort(signal, stop);
    this.ended = this.#live().finally(deaf);
  }

  get token(): number | undefined {
    return this.#tenure?.token;
  }

  async stop(options?: WaitOptions): Promise<void> {
    const bounds = checked(options, WAIT);
    checkBounds(bounds);
    this.#stop.abort(stopped(this.name));
    try {
      await within(bounds, `the function of the task ${show(this.name)} did not end`, (signal) =>
        Promise.race([this.ended, failing(signal)]),
      );
    } catch (error) {
      if (this.#tenure !== undefined) leave(this.#tenure);
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Campaigns and leads, again and again. */
  async #live(): Promise<void> {
    const { ttl, value, onError, pauseMs } = this.#settings;
    const { signal } = this.#stop;
    let [unanswered, thrown] = [0, 0];
    while (!signal.aborted) {
      try {
        this.#tenure = await this.#election.campaign(value, { ttl, signal });
      } catch (error) {
        if (signal.aborted || isClosed(error)) return;
        if (!canMend(error)) throw error;
        onError?.(error);
        await pause(pauseMs(++unanswered), signal);
        continue;
      }
      unanswered = 0;
      const end = await this.#lead(this.#tenure);
      if (end.type === "returned") return;
      if (end.type === "lost") {
        thrown = 0;
        continue;
      }
      if (onError === undefined) throw end.error;
      onError(end.error);
      await pause(pauseMs(++thrown), signal);
    }
  }

  /** Runs the function for one tenure, and says how that ended. Who leads next begins when the function has ended here. */
  async #lead(tenure: Tenure<Json>): Promise<End> {
    const control = new AbortController();
    const signals = [this.#stop.signal, tenure.lost];
    const abort = () => control.abort(signals.find(({ aborted }) => aborted)?.reason);
    for (const signal of signals) signal.addEventListener("abort", abort);
    if (signals.some(({ aborted }) => aborted)) abort();
    const { token, condition } = tenure;
    try {
      if (!control.signal.aborted) await this.#run(control.signal, { token, condition });
      return { type: control.signal.aborted ? "lost" : "returned" };
    } catch (error) {
      // What it throws after it was told to end is its way to end.
      return control.signal.aborted ? { type: "lost" } : { type: "thrown", error };
    } finally {
      for (const signal of signals) signal.removeEventListener("abort", abort);
      this.#tenure = undefined;
      await tenure[Symbol.asyncDispose]();
    }
  }
}

/** How a tenure ended: the function returned or threw by itself, or it was told to end. */
type End =
  | { readonly type: "returned" }
  | { readonly type: "lost" }
  | { readonly type: "thrown"; readonly error: unknown };

/** Rejects with the signal's reason. */
function failing(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

function stopped(name: string) {
  return quorateError("ABORTED", `the task ${show(name)} was stopped`);
}

function isClosed(error: unknown): boolean {
  return error instanceof QuorateError && error.code === "CLOSED";
}

/** Whether the same can succeed later. */
function canMend(error: unknown): boolean {
  return error instanceof QuorateError && (error.retryable || error.code === "LEADERSHIP_LOST");
}
