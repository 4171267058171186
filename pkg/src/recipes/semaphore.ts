/** A semaphore: the first so many in the line have a permit. */

import { integer } from "../check.js";
import type { Kv } from "../kv/types.js";
import { change } from "./change.js";
import { checked, HOLD, home, type Store, ttlMs } from "./name.js";
import { type Joined, join, type Line, orLeave, type Parts, Place, stillHeld } from "./place.js";
import type { HoldOptions, Permit, Semaphore } from "./types.js";
import { within } from "./within.js";

/** So that the answer to who the first ones are always fits. */
export const MAX_HOLDERS = 1_000;

export function semaphore(store: Store, name: string, permits: number): Semaphore {
  integer(permits, '"permits"', 1, MAX_HOLDERS);
  return new Permits(store.as("utf8"), { ...home("semaphore", name), code: "LOCK_LOST" }, permits);
}

class Permits implements Semaphore {
  readonly name: string;
  readonly permits: number;
  readonly #kv: Kv<string>;
  readonly #line: Line;

  constructor(kv: Kv<string>, line: Line, permits: number) {
    this.name = line.name;
    this.permits = permits;
    this.#kv = kv;
    this.#line = line;
  }

  async acquire(options?: HoldOptions): Promise<Permit> {
    const bounds = checked(options, HOLD);
    const joining = this.#joining(bounds);
    return within(bounds, `${this.#line.what} had no permit`, async (signal) => {
      let joined: Joined<string, Place<string>> | undefined;
      // Those who had another number can have left just now.
      while (joined === undefined) joined = await join(this.#kv, this.#line, joining, signal);
      return stillHeld(await orLeave(joined.place, this.#turn(joined, signal)));
    });
  }

  async tryAcquire(options?: HoldOptions): Promise<Permit | null> {
    const bounds = checked(options, HOLD);
    const joining = this.#joining(bounds);
    const { prefix } = this.#line;
    return within(bounds, `${this.#line.what} was not answered for`, async (signal) => {
      for (;;) {
        const { count, revision } = await this.#kv.range({ prefix, only: "count" }, { signal });
        if (count >= this.permits) return null;
        // Nobody came since; some may have gone.
        const unchanged = [{ prefix, is: "<", modRevision: revision + 1 }] as const;
        const joined = await join(this.#kv, this.#line, { ...joining, if: unchanged }, signal);
        if (joined !== undefined) return stillHeld(joined.place);
      }
    });
  }

  #joining({ ttl }: HoldOptions) {
    const make = (parts: Parts<string>) => new Place(parts);
    return { ttl: ttlMs(ttl), value: String(this.permits), make, alike: true };
  }

  /** Waits until as many have gone as must, and looks whether it were those ahead. */
  async #turn(
    { place, count }: Joined<string, Place<string>>,
    signal: AbortSignal,
  ): Promise<Place<string>> {
    const { prefix } = this.#line;
    let since = place.token;
    for (let gone = count - this.permits + 1; gone > 0; gone = 1) {
      const until = () => --gone === 0;
      await change(
        this.#kv,
        { prefix },
        { from: since + 1, only: "delete", until },
        signal,
        place.lost,
      );
      const { entries, revision } = await this.#kv.range(
        { prefix, orderBy: "createRevision", limit: this.permits, only: "keys" },
        { signal },
      );
      if (entries.some(({ createRevision }) => createRevision === place.token)) break;
      since = revision;
    }
    return place;
  }
}
