/** Waiting for a change of keys. */

import { QuorateError } from "../errors.js";
import type { Kv, RangeSelection, WatchEvent } from "../kv/types.js";
import type { Key } from "../types.js";

/** Which changes count. */
export interface Awaited<V> {
  /** The first revision that counts. */
  readonly from: number;
  readonly only?: "put" | "delete";
  /** Says of each event whether it ends the waiting. Default: the first one does. */
  readonly until?: (event: WatchEvent<V>) => boolean;
}

/**
 * Resolves to the change waited for, or to undefined if it may have been among what is no longer kept: either way it is time to
 * look again. Rejects with the reason of the first of the signals that is aborted.
 */
export async function change<V>(
  kv: Kv<V>,
  selection: Key | RangeSelection,
  { from, only, until = () => true }: Awaited<V>,
  ...signals: readonly AbortSignal[]
): Promise<WatchEvent<V> | undefined> {
  const check = () => {
    for (const { aborted, reason } of signals) if (aborted) throw reason;
  };
  check();
  const watch = kv.watch(selection, only === undefined ? { from } : { from, only });
  const close = () => watch.close();
  for (const signal of signals) signal.addEventListener("abort", close);
  try {
    for await (const event of watch) if (until(event)) return event;
  } catch (error) {
    if (!(error instanceof QuorateError) || error.code !== "COMPACTED") throw error;
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", close);
    watch.close();
  }
  check();
  return undefined;
}
