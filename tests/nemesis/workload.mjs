// What clients do: a few at once, on a few keys that are replaced before the search for an explanation grows long.

import { chanceOf } from "./chance.mjs";

const keysAtATime = 4;
/** A key is replaced after so many calls, or so many unknown outcomes. */
const callsOfAKey = 60;
const unknownOfAKey = 8;
/** Of one who is alone. Many who share the keys have fewer clients each, and numbers of their own from `first` on. */
const alone = { clients: 6, first: 1 };

const operations = { get: 8, put: 4, append: 4, cas: 3, delete: 1 };
const timeouts = [250, 500, 1_000, 3_000];

export class Workload {
  #kv;
  #history;
  #seed;
  #keys = [];
  #clients;
  #next;
  /** All keys that were used. */
  used = [];

  constructor(kv, history, seed, { clients, first } = alone) {
    this.#clients = clients;
    this.#next = { key: 1, value: first, client: first };
    this.#kv = kv.as("utf8");
    this.#history = history;
    this.#seed = seed;
    for (let at = 0; at < keysAtATime; at++) this.#keys.push(this.#fresh());
  }

  /** Lets all clients work until `over()`. */
  async run(over) {
    await Promise.all(
      Array.from({ length: this.#clients }, (_, at) =>
        this.#client(chanceOf(this.#seed, `client ${at}`), over),
      ),
    );
  }

  /** Reads every key once, as long as it takes. */
  async readAll() {
    const client = this.#next.client++;
    for (const { name } of this.used)
      await this.#call(client, "get", { name }, { timeout: 20_000 });
  }

  async #client(chance, over) {
    let client = this.#next.client++;
    // What this client saw last of each key, for its swaps.
    const seen = new Map();
    while (!over()) {
      const key = chance.pick(this.#keys);
      const op = chance.weighted(operations);
      const options = { timeout: chance.pick(timeouts) };
      const gone = chance.odds(0.02) ? chance.between(0, 200) : undefined;
      const swap = { expected: seen.get(key.name), removes: chance.odds(0.1) };
      const outcome = await this.#call(client, op, key, options, gone, swap, seen);
      // A client whose call may yet take effect asks for nothing else: another one does.
      if (outcome === "unknown") client = this.#next.client++;
      this.#age(key, outcome);
      await new Promise((resolve) => setTimeout(resolve, chance.between(0, 25)));
    }
  }

  async #call(client, op, key, options, gone, swap, seen = new Map()) {
    const kv = this.#kv;
    const call = { client, op, key: key.name };
    const bounds = gone === undefined ? options : { ...options, signal: AbortSignal.timeout(gone) };
    switch (op) {
      case "get":
        return this.#history.record(call, async () => {
          const value = (await kv.get(key.name, bounds))?.value;
          seen.set(key.name, value);
          return { value: value ?? null };
        });
      case "put":
      case "append": {
        const value = this.#value(op === "append" ? "+" : "");
        return this.#history.record({ ...call, value }, async () => {
          await kv[op](key.name, value, bounds);
          if (op === "put") seen.set(key.name, value);
        });
      }
      case "delete":
        return this.#history.record(call, async () => {
          await kv.delete(key.name, bounds);
          seen.delete(key.name);
        });
      case "cas": {
        const expect = swap.expected;
        const value = swap.removes && expect !== undefined ? undefined : this.#value();
        return this.#history.record({ ...call, value, expect }, async () => {
          const { swapped, current } = await kv.compareAndSwap(key.name, expect, value, bounds);
          seen.set(key.name, swapped ? value : current?.value);
          return { ok: swapped };
        });
      }
    }
  }

  #value(prefix = "") {
    return `${prefix}${this.#next.value++}`;
  }

  #age(key, outcome) {
    key.calls++;
    if (outcome === "unknown") key.unknown++;
    if (key.calls < callsOfAKey && key.unknown < unknownOfAKey) return;
    const at = this.#keys.indexOf(key);
    if (at >= 0) this.#keys[at] = this.#fresh();
  }

  #fresh() {
    const key = { name: `key-${this.#next.key++}`, calls: 0, unknown: 0 };
    this.used.push(key);
    return key;
  }
}
