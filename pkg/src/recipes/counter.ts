/** A counter: a number in one key, as decimal digits. */

import { quorateError } from "../errors.js";
import type { Kv } from "../kv/types.js";
import type { CallOptions } from "../types.js";
import { follow, type Seen } from "./follow.js";
import { checked, home, type Store } from "./name.js";
import type { Counter, ListenOptions } from "./types.js";

export function counter(store: Store, name: string): Counter {
  const { prefix, what } = home("counter", name);
  return new Sum(store.as("utf8"), name, prefix.slice(0, -1), what);
}

class Sum implements Counter {
  readonly name: string;
  readonly #kv: Kv<string>;
  readonly #key: string;
  readonly #what: string;

  constructor(kv: Kv<string>, name: string, key: string, what: string) {
    this.name = name;
    this.#kv = kv;
    this.#key = key;
    this.#what = what;
  }

  async add(by = 1, options?: CallOptions): Promise<number> {
    return (await this.#kv.increment(this.#key, by, options)).value;
  }

  async get(options?: CallOptions): Promise<number> {
    return (await this.#look(options)).value;
  }

  watch(options?: ListenOptions): AsyncIterableIterator<number, undefined> {
    const bounds = checked(options, ["signal"]);
    return follow(this.#kv, bounds, this.#what, (call) => this.#look(call));
  }

  async #look(options?: CallOptions): Promise<Seen<number>> {
    const only = { start: this.#key, end: `${this.#key}\0` };
    const { entries, revision } = await this.#kv.range(only, options);
    const value = this.#parse(entries[0]?.value ?? "0");
    return { value, mark: value, keys: this.#key, revision };
  }

  #parse(digits: string): number {
    if (!/^(?:0|-?[1-9]\d*)$/.test(digits)) {
      throw quorateError("NOT_AN_INTEGER", `${this.#what} holds no integer, but other text`);
    }
    const value = Number(digits);
    if (!Number.isSafeInteger(value)) {
      throw quorateError("NUMBER_TOO_LARGE", `${this.#what} stands at ${digits}, beyond 2^53 - 1`);
    }
    return value;
  }
}
