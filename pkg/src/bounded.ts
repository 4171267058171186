/** Waiting with an end: a deadline and a signal for everything that takes time. */

import { onAbort } from "./abort.js";
import { record, signalOf } from "./check.js";
import { type Outcome, quorateError } from "./errors.js";
import { timeoutMs } from "./options.js";
import type { CallOptions } from "./types.js";

/** A call's options, checked. */
export interface Bounds {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

export function readBounds(options: CallOptions, deadlineMs: number): Bounds {
  record(options, '"options"', ["signal", "timeout"]);
  const { signal, timeout } = options;
  return {
    timeoutMs: timeout === undefined ? deadlineMs : timeoutMs(timeout, '"timeout"'),
    signal: signalOf(signal),
  };
}

/** Throws where a call's options make no sense: before anything is done that goes ahead of the call. */
export function checkBounds(options: CallOptions): void {
  readBounds(options, 0);
}

/** What the caller's signal says, as an error. */
export function abortedError(signal: AbortSignal, outcome: Outcome = "not-applied") {
  return quorateError("ABORTED", "the call was aborted by its signal", {
    outcome,
    cause: signal.reason,
  });
}

/** The same for an opening. */
export function abortedOpen(signal: AbortSignal | undefined) {
  return quorateError("ABORTED", "opening the cluster was aborted by its signal", {
    cause: signal?.reason,
  });
}

/** Waits for `work`, but not beyond the deadline or the signal. `what` begins the sentence of `TIMEOUT`. */
export async function bounded<T>(
  options: CallOptions,
  deadlineMs: number,
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  const bounds = readBounds(options, deadlineMs);
  const { signal } = bounds;
  if (signal?.aborted) throw abortedError(signal);
  let stop = () => {};
  const end = new Promise<never>((_, reject) => {
    const late = () =>
      reject(
        quorateError("TIMEOUT", `${what} within ${bounds.timeoutMs} ms`, {
          outcome: "not-applied",
        }),
      );
    const abort = () => signal && reject(abortedError(signal));
    const timer = setTimeout(late, bounds.timeoutMs);
    const deaf = onAbort(signal, abort);
    stop = () => {
      clearTimeout(timer);
      deaf();
    };
  });
  try {
    return await Promise.race([work(), end]);
  } finally {
    stop();
  }
}
