/** A barrier: while anyone is in the line, others wait. */

import type { Json, Kv } from "../kv/types.js";
import type { CallOptions } from "../types.js";
import { change } from "./change.js";
import { checked, HOLD, home, type Store, ttlMs, WAIT } from "./name.js";
import { join, type Line, lostError, type Parts, Place, stillHeld } from "./place.js";
import type { Barrier, Hold, HoldOptions, WaitOptions } from "./types.js";
import { within } from "./within.js";

export function barrier(store: Store, name: string): Barrier {
  return new Holds(store.as("json"), { ...home("barrier", name), code: "LOCK_LOST" });
}

class Holds implements Barrier {
  readonly name: string;
  readonly #kv: Kv<Json>;
  readonly #line: Line;

  constructor(kv: Kv<Json>, line: Line) {
    this.name = line.name;
    this.#kv = kv;
    this.#line = line;
  }

  async hold(options?: HoldOptions): Promise<Hold> {
    const bounds = checked(options, HOLD);
    const make = (parts: Parts<Json>) => new Place(parts);
    const joining = { ttl: ttlMs(bounds.ttl), value: null, make };
    return within(bounds, `${this.#line.what} was not answered for`, async (signal) => {
      const joined = await join(this.#kv, this.#line, joining, signal);
      if (joined === undefined) throw lostError(this.#line);
      return stillHeld(joined.place);
    });
  }

  async release(options?: CallOptions): Promise<void> {
    await this.#kv.deleteRange({ prefix: this.#line.prefix }, options);
  }

  async wait(options?: WaitOptions): Promise<void> {
    const { what, prefix } = this.#line;
    await within(checked(options, WAIT), `${what} was not released`, (signal) =>
      empty(this.#kv, prefix, undefined, signal),
    );
  }
}

/** Waits until there are no keys with this prefix, or none that were created up to this revision. */
export async function empty<V>(
  kv: Kv<V>,
  prefix: string,
  last: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const oldest = { orderBy: "createRevision", limit: 1, only: "keys" } as const;
  const bound = last === undefined ? {} : { maxCreateRevision: last };
  for (;;) {
    const { entries, revision } = await kv.range({ prefix, ...oldest, ...bound }, { signal });
    const [entry] = entries;
    if (entry === undefined) return;
    await change(kv, entry.keyBytes, { from: revision + 1, only: "delete" }, signal);
  }
}
