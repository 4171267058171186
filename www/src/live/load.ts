/** Writes to the store, or reads from it, without end, at a chosen rate, and counts what came of it. No document. */

/** Calls per second; `Infinity`: as many as are answered. */
export type Rate = 0 | 10 | 100 | 1_000 | typeof Number.POSITIVE_INFINITY;

export interface LoadCounts {
  readonly done: number;
  readonly failed: number;
  /** What the last one that failed said. */
  readonly error: unknown;
}

/** So many calls are under way at most. */
const MOST = 256;
/** And where they are to be few: what is asked meanwhile waits for the same round, so that many at a time take few messages. */
export const FEW = 4;
/** How often it is looked how many are due: what is asked together is sent together. */
const BEAT_MS = 4;

export class Load {
  readonly #call: (number: number) => Promise<unknown>;
  #rate: number = 0;
  #most = MOST;
  #timer: ReturnType<typeof setInterval> | undefined;
  #began = 0;
  #issued = 0;
  #open = 0;
  #number = 0;
  #counts: LoadCounts = { done: 0, failed: 0, error: undefined };

  /** `call` gets the number of each call, from 1. */
  constructor(call: (number: number) => Promise<unknown>) {
    this.#call = call;
  }

  get counts(): LoadCounts {
    return this.#counts;
  }

  get rate(): number {
    return this.#rate;
  }

  /** So many calls a second, and of them at most so many at a time. */
  run(rate: number, most = MOST): void {
    clearInterval(this.#timer);
    [this.#rate, this.#most] = [rate, most];
    this.#began = performance.now();
    this.#issued = 0;
    if (rate > 0) this.#timer = setInterval(() => this.#issue(), BEAT_MS);
    this.#issue();
  }

  #issue(): void {
    const due = (this.#rate * (performance.now() - this.#began)) / 1_000;
    // What could not be asked in its time is not made up for.
    if (Number.isFinite(due)) this.#issued = Math.max(this.#issued, due - this.#most);
    while (this.#open < this.#most && this.#issued < due) {
      this.#issued += 1;
      this.#open += 1;
      void this.#one();
    }
  }

  async #one(): Promise<void> {
    try {
      await this.#call(++this.#number);
      this.#counts = { ...this.#counts, done: this.#counts.done + 1 };
    } catch (error) {
      this.#counts = { ...this.#counts, failed: this.#counts.failed + 1, error };
    } finally {
      this.#open -= 1;
    }
    if (this.#rate === Number.POSITIVE_INFINITY) this.#issue();
  }
}
