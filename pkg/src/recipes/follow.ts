/** Telling how something stands, again and again: what is told is always true, and the last is always told. */

import type { Kv, RangeSelection } from "../kv/types.js";
import type { CallOptions, Key } from "../types.js";
import { change } from "./change.js";
import { loop } from "./loop.js";
import type { ListenOptions } from "./types.js";
import { within } from "./within.js";

/** How something stands. */
export interface Seen<T> {
  readonly value: T;
  /** Another one where the value is another one. */
  readonly mark: number;
  /** What must change before it can stand differently. */
  readonly keys: Key | RangeSelection;
  /** As of which revision. */
  readonly revision: number;
}

/** Looks, and looks again whenever something changed. It keeps nothing for a slow reader, who then gets the latest. */
export function follow<V, T>(
  kv: Kv<V>,
  options: ListenOptions,
  what: string,
  look: (options: CallOptions) => Promise<Seen<T>>,
): AsyncIterableIterator<T, undefined> {
  return loop(options, (bounds) => looks(kv, bounds, what, look));
}

async function* looks<V, T>(
  kv: Kv<V>,
  options: ListenOptions,
  what: string,
  look: (options: CallOptions) => Promise<Seen<T>>,
): AsyncGenerator<T, undefined> {
  let told: number | undefined;
  for (let last: Seen<T> | undefined; ; ) {
    const before = last;
    last = await within(options, what, async (signal) => {
      if (before !== undefined) {
        await change(kv, before.keys, { from: before.revision + 1 }, signal);
      }
      return look({ signal });
    });
    if (last.mark === told) continue;
    told = last.mark;
    yield last.value;
  }
}
