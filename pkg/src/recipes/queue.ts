/**
 * A queue: a key for each value, in the order in which they are to be taken, and one beside it for each value that a taker
 * works on, under the taker's lease.
 *
 * A key has the priority, then the store's revision before the value came. So whatever was in before a value came is taken
 * first, and what came at the same time in any order, without a key that all would have to change.
 */

import { integer, invalid, show } from "../check.js";
import { type QuorateError, quorateError } from "../errors.js";
import { flagOf } from "../kv/selection.js";
import type { Json, KeyedEntry, Kv, Lease, Operation, WatchEvent } from "../kv/types.js";
import { MAX_TXN_OPERATIONS } from "../limits.js";
import type { CallOptions } from "../types.js";
import { change } from "./change.js";
import { loop } from "./loop.js";
import { checked, checkValue, HOLD, type Home, home, type Store, ttlMs, WAIT } from "./name.js";
import { leaseIsGone, leave, type Parts, Place } from "./place.js";
import type {
  Claim,
  EnqueueOptions,
  HoldOptions,
  ListenOptions,
  Queue,
  QueueOptions,
  WaitOptions,
} from "./types.js";
import { within } from "./within.js";

const MAX_PRIORITY = 1_000;
const MAX_CAPACITY = 1_000_000;
/** How many keys one look is for. Values come only with the one that is taken. */
const PAGE = 32;
/** Within it the store repeats a call by itself, so that its outcome becomes known. */
const PATIENCE_MS = 86_400_000;

export function queue<T extends Json>(
  store: Store,
  name: string,
  options?: QueueOptions,
): Queue<T> {
  const where = home("queue", name);
  const { capacity } = checked(options, ["capacity"]);
  if (capacity !== undefined) integer(capacity, '"capacity"', 1, MAX_CAPACITY);
  return new Values<T>(store.as("json"), where, capacity);
}

class Values<T extends Json> implements Queue<T> {
  readonly name: string;
  readonly #kv: Kv<Json>;
  readonly #home: Home;
  readonly #items: string;
  readonly #claims: string;
  readonly #capacity: number | undefined;

  constructor(kv: Kv<Json>, where: Home, capacity: number | undefined) {
    this.name = where.name;
    this.#kv = kv;
    this.#home = where;
    this.#items = `${where.prefix}item/`;
    this.#claims = `${where.prefix}claim/`;
    this.#capacity = capacity;
  }

  async enqueue(value: T, options?: EnqueueOptions): Promise<void> {
    const bounds = checked(options, ["priority", "wait", ...WAIT]);
    const { priority = 0, wait = true } = bounds;
    integer(priority, '"priority"', -MAX_PRIORITY, MAX_PRIORITY);
    flagOf(wait, '"wait"');
    checkValue(value);
    const [prefix, capacity, last] = [this.#items, this.#capacity, `${this.#home.prefix}last`];
    await within(bounds, `${this.#home.what} had no room`, async (signal) => {
      for (;;) {
        const { count, revision } = await this.#kv.range({ prefix, only: "count" }, { signal });
        if (capacity !== undefined && count >= capacity) {
          if (!wait) throw fullError(this.#home, count);
          await change(this.#kv, { prefix }, { from: revision + 1, only: "delete" }, signal);
          continue;
        }
        const key = `${prefix}${order(priority, revision)}`;
        const room = { key: last, is: "<", modRevision: revision + 1 } as const;
        const { succeeded } = await this.#kv.txn(
          {
            if: [{ key, version: 0 }, ...(capacity === undefined ? [] : [room])],
            do: [
              { put: key, value },
              // Whoever counted before this must count again.
              ...(capacity === undefined ? [] : [{ put: last, value: null }]),
            ],
          },
          { signal },
        );
        if (succeeded) return;
      }
    });
  }

  async take(options?: WaitOptions): Promise<T> {
    const bounds = checked(options, WAIT);
    const taken = await within(bounds, `${this.#home.what} had no value`, (signal) =>
      this.#pick(signal, true, (item) => this.#remove(item, signal)),
    );
    return taken.value;
  }

  async tryTake(options?: WaitOptions): Promise<T | undefined> {
    const bounds = checked(options, WAIT);
    const taken = await within(bounds, `${this.#home.what} was not answered for`, (signal) =>
      this.#pick(signal, false, (item) => this.#remove(item, signal)),
    );
    return taken?.value;
  }

  async claim(options?: HoldOptions): Promise<Claim<T>> {
    const bounds = checked(options, HOLD);
    const ttl = ttlMs(bounds.ttl);
    return within(bounds, `${this.#home.what} had no value`, async (signal) => {
      let lease: Lease | undefined;
      try {
        return await this.#pick(signal, true, async (item) => {
          lease ??= await this.#kv.lease({ ttl, signal });
          try {
            const claim = await this.#claim(item, lease, signal);
            if (claim?.lost.aborted !== true) return claim;
            lease = undefined;
            return undefined;
          } catch (error) {
            if (!leaseIsGone(error)) throw error;
            lease = undefined;
            return undefined;
          }
        });
      } catch (error) {
        if (lease !== undefined) leave(lease);
        throw error;
      }
    });
  }

  values(options?: ListenOptions): AsyncIterableIterator<T, undefined> {
    return loop(checked(options, ["signal"]), (bounds) => this.#values(bounds));
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
    return this.values();
  }

  async size(options?: CallOptions): Promise<number> {
    return (await this.#kv.range({ prefix: this.#items, only: "count" }, options)).count;
  }

  async *#values(options: ListenOptions): AsyncGenerator<T, undefined> {
    for (;;) yield await this.take(options);
  }

  #pick<R>(signal: AbortSignal, wait: true, attempt: Attempt<R>): Promise<R>;
  #pick<R>(signal: AbortSignal, wait: boolean, attempt: Attempt<R>): Promise<R | undefined>;
  /** Tries the values that nobody has in their order, until it gets one. */
  async #pick<R>(signal: AbortSignal, wait: boolean, attempt: Attempt<R>): Promise<R | undefined> {
    const { prefix } = this.#home;
    const until = (event: WatchEvent<Json>) =>
      event.type !== "progress" &&
      event.key.startsWith(event.type === "put" ? this.#items : this.#claims);
    for (;;) {
      const { free, revision } = await this.#look(signal);
      for (const item of free) {
        const got = await attempt(item);
        if (got !== undefined) return got;
      }
      if (free.length > 0) continue;
      if (!wait) return undefined;
      await change(this.#kv, { prefix }, { from: revision + 1, until }, signal);
    }
  }

  /** The first values that nobody works on, and the revision after which there can be others. */
  async #look(signal: AbortSignal): Promise<{ free: Item[]; revision: number }> {
    const page = { prefix: this.#items, limit: PAGE, only: "keys" } as const;
    let since: number | undefined;
    for (let start: Uint8Array | undefined; ; ) {
      const from: { start?: Uint8Array } = start === undefined ? {} : { start };
      const { entries, next, revision } = await this.#kv.range({ ...page, ...from }, { signal });
      since ??= revision;
      const [first, last] = [entries[0], entries.at(-1)];
      if (first === undefined || last === undefined) return { free: [], revision: since };
      const claims = await this.#kv.range(
        { start: this.#claimOf(first), end: `${this.#claimOf(last)}\0`, only: "keys" },
        { signal },
      );
      const claimed = new Set(claims.entries.map(({ key }) => key));
      const free = entries.filter((item) => !claimed.has(this.#claimOf(item)));
      if (free.length > 0 || next === undefined) return { free, revision: since };
      start = next;
    }
  }

  async #remove(item: Item, signal: AbortSignal): Promise<{ value: T } | undefined> {
    const { succeeded, results } = await this.#kv.txn<T>(
      { if: this.#isFree(item), do: [{ delete: item.key, previous: true }] },
      { signal, timeout: PATIENCE_MS },
    );
    const [removed] = results;
    if (!succeeded || removed?.type !== "delete") return undefined;
    return { value: removed.previous?.[0]?.value as T };
  }

  async #claim(item: Item, lease: Lease, signal: AbortSignal): Promise<Claim<T> | undefined> {
    const key = this.#claimOf(item);
    const { succeeded, results, revision } = await this.#kv.txn<T>(
      { if: this.#isFree(item), do: [{ get: item.key }, { put: key, value: null, lease }] },
      { signal },
    );
    const [got] = results;
    if (!succeeded || got?.type !== "get") return undefined;
    const line = {
      ...this.#home,
      what: `a value of ${this.#home.what}`,
      code: "LOCK_LOST",
    } as const;
    const parts = { kv: this.#kv, line, lease, key, token: revision };
    return new Work<T>(parts, item.key, got.entry?.value as T);
  }

  #isFree({ key, keyBytes, modRevision }: Item) {
    return [
      { key, modRevision },
      { key: this.#claimOf({ key, keyBytes }), version: 0 },
    ];
  }

  #claimOf({ key }: Pick<Item, "key" | "keyBytes">): string {
    return this.#claims + key.slice(this.#items.length);
  }
}

/** A value's key. */
type Item = KeyedEntry<Json>;

/** Resolves to undefined where another one was faster. */
type Attempt<R> = (item: Item) => Promise<R | undefined>;

class Work<T extends Json> extends Place<Json> implements Claim<T> {
  readonly value: T;
  readonly #item: string;
  #state: "open" | "perhaps done" | "done" = "open";
  /** The end of the attempt before. */
  #before: Promise<void> = Promise.resolve();

  constructor(parts: Parts<Json>, item: string, value: T) {
    super(parts);
    this.#item = item;
    this.value = value;
  }

  async done(operations: readonly Operation<Json>[] = [], options?: CallOptions): Promise<void> {
    if (!Array.isArray(operations)) {
      throw invalid(`the operations are an array, not ${show(operations)}`);
    }
    if (operations.length >= MAX_TXN_OPERATIONS) {
      const most = MAX_TXN_OPERATIONS - 1;
      const sentence = `done takes at most ${most} operations: one more removes the value`;
      throw quorateError("TOO_MANY_OPERATIONS", sentence);
    }
    // One attempt at a time: the next one knows what became of it.
    const attempt = this.#before.then(() => this.#attempt(operations, options));
    this.#before = attempt.catch(() => {});
    await attempt;
  }

  async #attempt(operations: readonly Operation<Json>[], options?: CallOptions): Promise<void> {
    if (this.#state === "done") return;
    const succeeded = await this.#finish(operations, options);
    if (!succeeded) throw this.lostError();
    this.#state = "done";
    leave(this);
  }

  async #finish(operations: readonly Operation<Json>[], options?: CallOptions): Promise<boolean> {
    const { key } = this.condition;
    try {
      const { succeeded, results } = await this.kv.txn(
        {
          if: [this.condition, { key: this.#item, is: ">", version: 0 }],
          do: [{ delete: this.#item }, ...operations],
          else: [{ get: key }],
        },
        options,
      );
      const [claim] = results;
      // While the claim is there nobody else has taken the value: if it is gone, an earlier attempt has done it.
      const isClaimed = claim?.type === "get" && claim.entry?.createRevision === this.token;
      return succeeded || (isClaimed && this.#state === "perhaps done");
    } catch (error) {
      if ((error as Partial<QuorateError>).outcome === "unknown") this.#state = "perhaps done";
      throw error;
    }
  }
}

/** Where in the order a value stands that comes now. Those that come at the same time differ by chance. */
function order(priority: number, revision: number): string {
  const [chance = 0] = crypto.getRandomValues(new Uint32Array(1));
  const digits = (number: number, length: number) => String(number).padStart(length, "0");
  return `${digits(MAX_PRIORITY - priority, 4)}/${digits(revision, 16)}/${digits(chance, 10)}`;
}

function fullError({ what }: Home, count: number) {
  const sentence = `${what} is full: ${count} values wait; take some, or wait until others do`;
  return quorateError("QUEUE_FULL", sentence, { outcome: "not-applied" });
}
