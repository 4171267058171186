/**
 * A place in a line: a key that hangs on a lease of its own. What is first in the line holds what the line is for.
 *
 * The line is ordered by the create revisions of its keys, so it is the order in which they were put. The end of the lease
 * takes the place away, and a key that is gone never comes back: a new one is a new place, behind all others.
 */

import { checkBounds } from "../bounded.js";
import { invalid } from "../check.js";
import { quorateError } from "../errors.js";
import type { Condition, KeyedEntry, Kv, Lease, Operation } from "../kv/types.js";
import type { CallOptions } from "../types.js";
import { change } from "./change.js";
import type { Home } from "./name.js";
import type { Hold, HoldCondition } from "./types.js";

/** A line, and what it means to lose a place in it. */
export interface Line extends Home {
  readonly code: "LOCK_LOST" | "LEADERSHIP_LOST";
}

/** What a place is made of. */
export interface Parts<V> {
  readonly kv: Kv<V>;
  readonly line: Line;
  readonly lease: Lease;
  readonly key: string;
  /** The create revision of the key. */
  readonly token: number;
}

/** Something held, or waited for. */
export class Place<V> implements Hold {
  readonly name: string;
  readonly token: number;
  readonly condition: HoldCondition;
  protected readonly kv: Kv<V>;
  protected readonly line: Line;
  readonly #lease: Lease;
  readonly #lost = new AbortController();

  constructor({ kv, line, lease, key, token }: Parts<V>) {
    this.kv = kv;
    this.line = line;
    this.#lease = lease;
    this.name = line.name;
    this.token = token;
    this.condition = Object.freeze({ key, createRevision: token });
    lease.lost.addEventListener("abort", () => this.#lose(lease.lost.reason), { once: true });
    void this.#guard();
  }

  get lost(): AbortSignal {
    // A lease looks at the clocks when it is asked: its timer may be late.
    if (this.#lease.lost.aborted) this.#lose(this.#lease.lost.reason);
    return this.#lost.signal;
  }

  async release(options: CallOptions = {}): Promise<void> {
    checkBounds(options);
    this.#giveUp();
    await this.#lease.revoke(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#giveUp();
    await this.#lease[Symbol.asyncDispose]();
  }

  lostError(cause?: unknown) {
    return lostError(this.line, cause);
  }

  /** The lease tells of its end by the clock; this tells when the store has ended it, or somebody removed the key. */
  async #guard(): Promise<void> {
    const { key } = this.condition;
    try {
      let event: unknown;
      for (let from = this.token + 1; event === undefined; ) {
        event = await change(this.kv, key, { from, only: "delete" }, this.lost);
        if (event !== undefined) break;
        const { entries, revision } = await this.kv.range(
          { start: key, end: `${key}\0`, only: "keys" },
          { signal: this.lost },
        );
        if (entries[0]?.createRevision !== this.token) break;
        from = revision + 1;
      }
      this.#lose(undefined);
    } catch (error) {
      this.#lose(error);
    }
  }

  #giveUp(): void {
    this.#end(quorateError("ABORTED", `${this.line.what} was given up by its holder`));
  }

  #lose(cause: unknown): void {
    if (this.#lost.signal.aborted) return;
    this.#end(this.lostError(cause));
    // It may live on where only the key was removed.
    leave(this.#lease);
  }

  #end(reason: unknown): void {
    if (!this.#lost.signal.aborted) this.#lost.abort(reason);
  }
}

/** A place, and what stood before it when it was taken. */
export interface Joined<V, P extends Place<V>> {
  readonly place: P;
  /** The last of those before it, without its value. */
  readonly ahead: KeyedEntry<V> | undefined;
  /** How many stood before it. */
  readonly count: number;
}

/** How to join a line. */
export interface Joining<V, P extends Place<V>> {
  readonly ttl: number;
  readonly value: V;
  readonly make: (parts: Parts<V>) => P;
  /** Join only if all in the line have the same value. `INVALID_ARGUMENT` says that they have another one. */
  readonly alike?: boolean;
  /** Join only if this holds, or the line is empty. */
  readonly if?: readonly Condition<V>[];
}

/** Takes a place at the end of the line; resolves to undefined if the conditions do not hold. */
export async function join<V, P extends Place<V>>(
  kv: Kv<V>,
  line: Line,
  { ttl, value, make, alike = false, if: conditions = [] }: Joining<V, P>,
  signal: AbortSignal,
): Promise<Joined<V, P> | undefined> {
  const { prefix } = line;
  const lease = await kv.lease({ ttl, signal });
  const key = prefix + id(lease);
  const enter: Operation<V>[] = [
    { range: { prefix, orderBy: "createRevision", descending: true, limit: 1, only: "keys" } },
    { put: key, value, lease },
  ];
  try {
    const { succeeded, results, revision } = await kv.txn(
      {
        if: [...conditions, ...(alike ? [{ prefix, value }] : [])],
        do: enter,
        // A condition on values does not hold where there are none.
        else: [{ txn: { if: [{ prefix, version: 0 }], do: enter } }],
      },
      { signal },
    );
    const [first] = results;
    const before = succeeded || first?.type !== "txn" ? first : first.results[0];
    if (before?.type === "range") {
      const place = make({ kv, line, lease, key, token: revision });
      return { place, ahead: before.entries[0], count: before.count };
    }
    if (alike) await mismatch(kv, line, value, signal);
  } catch (error) {
    // Whatever became of it: without its lease the place is none.
    leave(lease);
    throw leaseIsGone(error) ? lostError(line, error) : error;
  }
  leave(lease);
  return undefined;
}

/** Says so if those in the line have another value than this. */
async function mismatch<V>(
  kv: Kv<V>,
  { prefix, what }: Line,
  value: V,
  signal: AbortSignal,
): Promise<void> {
  const { entries } = await kv.range({ prefix, limit: 1 }, { signal });
  const [any] = entries;
  if (any !== undefined && any.value !== value) {
    throw invalid(`${what} is in use with the number ${any.value}, not ${value}`);
  }
}

/** Waits until nobody is before the place: each waits for the one before it alone, so an end wakes one. */
export async function first<V, P extends Place<V>>(
  kv: Kv<V>,
  line: Line,
  { place, ahead }: Joined<V, P>,
  signal: AbortSignal,
): Promise<P> {
  let [before, since] = [ahead, place.token];
  while (before !== undefined) {
    await change(kv, before.keyBytes, { from: since + 1, only: "delete" }, signal, place.lost);
    const { entries, revision } = await kv.range(
      {
        prefix: line.prefix,
        maxCreateRevision: place.token,
        orderBy: "createRevision",
        descending: true,
        limit: 2,
        only: "keys",
      },
      { signal },
    );
    if (entries[0]?.createRevision !== place.token) throw place.lostError();
    [before, since] = [entries[1], revision];
  }
  return place;
}

/** An answer may come late: what was lost on its way is not given to anybody. */
export function stillHeld<P extends Hold>(place: P): P {
  if (place.lost.aborted) throw place.lost.reason;
  return place;
}

/** Joins the line, and waits until nobody is before. If that fails there is no place. */
export async function lineUp<V, P extends Place<V>>(
  kv: Kv<V>,
  line: Line,
  joining: Joining<V, P>,
  signal: AbortSignal,
): Promise<P> {
  const joined = await join(kv, line, joining, signal);
  if (joined === undefined) throw lostError(line);
  return stillHeld(await orLeave(joined.place, first(kv, line, joined, signal)));
}

/** Gives the place up if the work fails, without waiting for it. */
export async function orLeave<T>(place: Hold, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    leave(place);
    throw error;
  }
}

/** Gives up what nobody waits for: if the store does not hear of it, time ends it. */
export function leave(held: Pick<Hold | Lease, typeof Symbol.asyncDispose>): void {
  held[Symbol.asyncDispose]().catch(() => {});
}

/** A lease's name in a key. */
export function id(lease: Lease): string {
  return lease.id.toString(16).padStart(14, "0");
}

/** Whether a call failed because the lease that it names has ended. */
export function leaseIsGone(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "LEASE_NOT_FOUND" || code === "LEASE_LOST";
}

export function lostError({ code, what }: Line, cause?: unknown) {
  const sentence = `${what} is lost: its lease ended, or its key was removed; begin anew`;
  return quorateError(code, sentence, { outcome: "not-applied", cause });
}
