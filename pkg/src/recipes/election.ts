/** An election: who is first in the line leads, and its value is what others know of it. */

import type { Json, Kv } from "../kv/types.js";
import type { CallOptions } from "../types.js";
import { follow, type Seen } from "./follow.js";
import { checked, checkValue, HOLD, home, type Store, ttlMs } from "./name.js";
import { type Line, lineUp, type Parts, Place } from "./place.js";
import type { ElectedLeader, Election, HoldOptions, ListenOptions, Tenure } from "./types.js";
import { within } from "./within.js";

export function election<T extends Json>(store: Store, name: string): Election<T> {
  return new Candidates<T>(store.as("json"), {
    ...home("election", name),
    code: "LEADERSHIP_LOST",
  });
}

class Candidates<T extends Json> implements Election<T> {
  readonly name: string;
  readonly #kv: Kv<Json>;
  readonly #line: Line;

  constructor(kv: Kv<Json>, line: Line) {
    this.name = line.name;
    this.#kv = kv;
    this.#line = line;
  }

  async campaign(value: T, options?: HoldOptions): Promise<Tenure<T>> {
    const bounds = checked(options, HOLD);
    checkValue(value);
    const make = (parts: Parts<Json>) => new Term<T>(parts, value);
    const joining = { ttl: ttlMs(bounds.ttl), value, make };
    return within(bounds, `${this.#line.what} was not won`, (signal) =>
      lineUp(this.#kv, this.#line, joining, signal),
    );
  }

  async leader(options?: CallOptions): Promise<ElectedLeader<T> | null> {
    return (await this.#look(options)).value;
  }

  observe(options?: ListenOptions): AsyncIterableIterator<ElectedLeader<T> | null, undefined> {
    const bounds = checked(options, ["signal"]);
    return follow(this.#kv, bounds, this.#line.what, (call) => this.#look(call));
  }

  async #look(options?: CallOptions): Promise<Seen<ElectedLeader<T> | null>> {
    const all = { prefix: this.#line.prefix };
    const { entries, revision } = await this.#kv.range<T>(
      { ...all, orderBy: "createRevision", limit: 1 },
      options,
    );
    const [entry] = entries;
    if (entry === undefined) return { value: null, mark: 0, keys: all, revision };
    const { keyBytes, createRevision, modRevision } = entry;
    const value = { value: entry.value as T, token: createRevision };
    // While somebody leads, only that one's key can change who does.
    return { value, mark: modRevision, keys: keyBytes, revision };
  }
}

class Term<T extends Json> extends Place<Json> implements Tenure<T> {
  #value: T;

  constructor(parts: Parts<Json>, value: T) {
    super(parts);
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  async proclaim(value: T, options?: CallOptions): Promise<void> {
    if (this.lost.aborted) throw this.lost.reason;
    const { key } = this.condition;
    const { succeeded } = await this.kv.txn(
      { if: [this.condition], do: [{ put: key, value, lease: "keep" }] },
      options,
    );
    if (!succeeded) throw this.lostError();
    this.#value = value;
  }

  resign(options?: CallOptions): Promise<void> {
    return this.release(options);
  }
}
