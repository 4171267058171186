/** A loop that can be left at any time, also while the next value is waited for. */

import { onAbort } from "../abort.js";
import { abortedError } from "../bounded.js";
import type { QuorateError } from "../errors.js";
import type { ListenOptions } from "./types.js";

/**
 * What `make` yields, under a signal that the caller's aborts, and `return` does: a generator alone would let `return` wait for
 * the next value, and then lose it.
 */
export function loop<T>(
  { signal }: ListenOptions,
  make: (options: ListenOptions) => AsyncGenerator<T, undefined>,
): AsyncIterableIterator<T, undefined> {
  const control = new AbortController();
  let left = false;
  async function* run(): AsyncGenerator<T, undefined> {
    if (signal?.aborted) throw abortedError(signal);
    const deaf = onAbort(signal, () => control.abort(signal?.reason));
    try {
      yield* make({ signal: control.signal });
    } catch (error) {
      // Who left asks for no more values, but is told of one that may be gone.
      if (!left || (error as Partial<QuorateError>).outcome === "unknown") throw error;
    } finally {
      deaf();
    }
  }
  const values = run();
  const end = values.return.bind(values);
  values.return = (value) => {
    left = true;
    control.abort();
    return end(value);
  };
  return values;
}
