/**
 * A double barrier: when so many are in the line, who sees it says so in a key, by the token of the last one of them, and those
 * up to that one begin. They end when none of them is in the line any more. Who comes later is of the next round.
 */

import { integer } from "../check.js";
import type { Json, Kv } from "../kv/types.js";
import { empty } from "./barrier.js";
import { change } from "./change.js";
import { checked, HOLD, type Home, home, type Store, ttlMs, WAIT } from "./name.js";
import { type Joined, join, type Line, orLeave, type Parts, Place, stillHeld } from "./place.js";
import { MAX_HOLDERS } from "./semaphore.js";
import type { DoubleBarrier, HoldOptions, Participation, WaitOptions } from "./types.js";
import { within } from "./within.js";

export function doubleBarrier(store: Store, name: string, participants: number): DoubleBarrier {
  integer(participants, '"participants"', 1, MAX_HOLDERS);
  return new Rounds(store.as("json"), home("double barrier", name), participants);
}

class Rounds implements DoubleBarrier {
  readonly name: string;
  readonly participants: number;
  readonly #kv: Kv<Json>;
  readonly #line: Line;
  /** Holds the token of the last participant of the last round. */
  readonly #full: string;

  constructor(kv: Kv<Json>, { name, prefix, what }: Home, participants: number) {
    this.name = name;
    this.participants = participants;
    this.#kv = kv;
    this.#line = { name, prefix: `${prefix}in/`, what, code: "LOCK_LOST" };
    this.#full = `${prefix}full`;
  }

  async enter(options?: HoldOptions): Promise<Participation> {
    const bounds = checked(options, HOLD);
    const make = (parts: Parts<Json>) => new Part(parts);
    const joining = { ttl: ttlMs(bounds.ttl), value: this.participants, make, alike: true };
    return within(bounds, `${this.#line.what} was not full`, async (signal) => {
      let joined: Joined<Json, Part> | undefined;
      while (joined === undefined) joined = await join(this.#kv, this.#line, joining, signal);
      const { place } = joined;
      place.last = await orLeave(place, this.#begin(place, signal));
      return stillHeld(place);
    });
  }

  /** Waits until the round of this place is full. Resolves to the token of the last one in it. */
  async #begin({ token, lost }: Part, signal: AbortSignal): Promise<number> {
    const { prefix } = this.#line;
    for (;;) {
      const key = { start: this.#full, end: `${this.#full}\0` };
      const { entries, revision } = await this.#kv.range<number>(key, { signal });
      const full = entries[0]?.value ?? undefined;
      if (full !== undefined && full >= token) return full;
      // The next round is the first so many of those that are in none yet.
      const next = await this.#kv.range(
        {
          prefix,
          minCreateRevision: (full ?? 0) + 1,
          orderBy: "createRevision",
          limit: this.participants,
          only: "keys",
        },
        { signal },
      );
      const last = next.entries[this.participants - 1]?.createRevision;
      if (last === undefined) {
        await change(this.#kv, this.#full, { from: revision + 1, only: "put" }, signal, lost);
      } else {
        // If another one has said so in the meantime, look again.
        await this.#kv.compareAndSwap(this.#full, full, last, { signal });
      }
    }
  }
}

class Part extends Place<Json> implements Participation {
  /** The token of the last participant of its round. */
  last = 0;

  async leave(options?: WaitOptions): Promise<void> {
    await within(
      checked(options, WAIT),
      `the others of ${this.name} were not done`,
      async (signal) => {
        await this.release({ signal });
        await empty(this.kv, this.line.prefix, this.last, signal);
      },
    );
  }
}
