/** A wait that has an end: by its signal or its timeout, and not before if it has neither. */

import { onAbort } from "../abort.js";
import { abortedError } from "../bounded.js";
import { signalOf } from "../check.js";
import { QuorateError, quorateError } from "../errors.js";
import { timeoutMs } from "../options.js";
import type { WaitOptions } from "./types.js";

/**
 * Does `work` with a signal that is aborted when the options say so. `what` begins the sentence of `TIMEOUT`. The work
 * heeds the signal: it fails with its reason, or as the store's calls do.
 */
export async function within<T>(
  options: WaitOptions,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { timeout } = options;
  const signal = signalOf(options.signal);
  const ms = timeout === undefined ? undefined : timeoutMs(timeout, '"timeout"');
  if (signal?.aborted) throw abortedError(signal);
  const control = new AbortController();
  const abort = () => signal && control.abort(abortedError(signal));
  const late = () =>
    control.abort(quorateError("TIMEOUT", `${what} within ${ms} ms`, { outcome: "not-applied" }));
  const timer = ms === undefined ? undefined : setTimeout(late, ms);
  const deaf = onAbort(signal, abort);
  try {
    return await work(control.signal);
  } catch (error) {
    throw ended(error, control.signal);
  } finally {
    clearTimeout(timer);
    deaf();
  }
}

/** A call of the store that our signal ended says so in our words, and keeps what it knows of its outcome. */
function ended(error: unknown, { aborted, reason }: AbortSignal): unknown {
  if (!aborted || !(error instanceof QuorateError) || error.code !== "ABORTED") return error;
  const { code, message, cause } = reason as QuorateError;
  return quorateError(code, message, { outcome: error.outcome, cause });
}

/** Resolves to true after so many milliseconds, or to false when the signal is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve(!signal.aborted);
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
