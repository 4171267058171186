/** The hall: seats in the store, held for a while by a lease, then sold. Nothing here knows of the page. */

import { type Kv, QuorateError } from "quorate";

/** Whose a seat is: a name for people, and the order's id. As long as it is not sold, it is held by a lease. */
export type Claim = { readonly by: string; readonly order: string; readonly sold: boolean };

export type Buyer = Omit<Claim, "sold">;

/** A claim as of the revision that made it. A seat without one is free. */
export interface Seat {
  readonly claim: Claim;
  readonly revision: number;
}

/** How long a seat is held for someone who does not buy it, in milliseconds. */
export const HOLD = 30_000;

const PREFIX = "seat/";

export class Hall {
  readonly #kv: Kv<unknown>;

  constructor(kv: Kv<unknown>) {
    this.#kv = kv;
  }

  /** Holds a seat, if it is free. Resolves to the hold's revision, or to null: somebody was faster. */
  async hold(seat: string, buyer: Buyer): Promise<number | null> {
    const lease = await this.#kv.lease({ ttl: HOLD, keepAlive: false });
    const { succeeded, revision } = await this.#kv.txn({
      if: [{ key: PREFIX + seat, version: 0 }],
      do: [{ put: PREFIX + seat, value: { ...buyer, sold: false }, lease }],
    });
    if (!succeeded) await lease.revoke();
    return succeeded ? revision : null;
  }

  /**
   * Buys all of these seats, or none. A hold that has ended, or that was somebody else's in between, has another revision: a
   * tab that slept cannot buy what it no longer holds.
   */
  async buy(held: ReadonlyMap<string, number>, buyer: Buyer): Promise<boolean> {
    const { succeeded } = await this.#kv.txn({
      if: [...held].map(([seat, revision]) => ({ key: PREFIX + seat, modRevision: revision })),
      do: [...held.keys()].map((seat) => ({ put: PREFIX + seat, value: { ...buyer, sold: true } })),
    });
    return succeeded;
  }

  /** Lets a seat go that is still held by this hold. */
  async release(seat: string, revision: number): Promise<void> {
    await this.#kv.txn({
      if: [{ key: PREFIX + seat, modRevision: revision }],
      do: [{ delete: PREFIX + seat }],
    });
  }

  /** Empties the hall. */
  async reset(): Promise<void> {
    await this.#kv.deleteRange({ prefix: PREFIX });
  }

  /** Tells of every seat that has a claim, and then of every change. Goes on until the signal comes. */
  async follow(
    tell: (seat: string, now: Seat | undefined) => void,
    restart: () => void,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      try {
        const { entries, revision } = await this.#kv.range({ prefix: PREFIX }, { signal });
        restart();
        for (const { key, value, modRevision } of entries)
          tell(key.slice(PREFIX.length), { claim: value as Claim, revision: modRevision });
        const changes = this.#kv.watch({ prefix: PREFIX }, { from: revision + 1, signal });
        for await (const change of changes) {
          if (change.type === "progress") continue;
          const { key, modRevision } = change;
          const now =
            change.type === "put"
              ? { claim: change.value as Claim, revision: modRevision }
              : undefined;
          tell(key.slice(PREFIX.length), now);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof QuorateError) || error.code === "CLOSED") throw error;
        // The others could not be reached, or the past is gone: begin anew.
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }
}
