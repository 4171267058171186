/**
 * A double barrier: who makes the number full says so in a key, by the token of the last one that counts, and those who
 * were there then begin. They end when none of them is in the line any more.
 */

import { integer } from "../check.js";
import type { Json, Kv } from "../kv/types.js";
import { empty } from "./barrier.js";
import { change } from "./change.js";
import { checked, HOLD, type Home, home, type Store, ttlMs, WAIT } from "./name.js";
import { type Joined, join, type Line, orLeave, type Parts, Place } from "./place.js";
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
      const { place, count } = joined;
      const full = count + 1 >= this.participants;
      place.last = await orLeave(
        place,
        full ? this.#fill(place, signal) : this.#filled(place, signal),
      );
      return place;
    });
  }

  /** All up to this one begin. Another one may say so of a later one. */
  async #fill({ token }: Part, signal: AbortSignal): Promise<number> {
    let seen = (await this.#kv.get<number>(this.#full, { signal }))?.value;
    while (seen === undefined || seen < token) {
      const swap = await this.#kv.compareAndSwap<number>(this.#full, seen, token, { signal });
      if (swap.swapped) return token;
      seen = swap.current?.value;
    }
    return seen;
  }

  async #filled({ token, lost }: Part, signal: AbortSignal): Promise<number> {
    for (;;) {
      const full = { start: this.#full, end: `${this.#full}\0` };
      const { entries, revision } = await this.#kv.range<number>(full, { signal });
      const last = entries[0]?.value;
      if (last !== undefined && last >= token) return last;
      await change(this.#kv, this.#full, { from: revision + 1, only: "put" }, signal, lost);
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
