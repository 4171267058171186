/** A simulated disk: records, and the round that is being written. */

import type { Chance } from "./chance.js";

export type Deletes = readonly (readonly [from: string, to: string])[];
export type Puts = readonly (readonly [key: string, value: Uint8Array])[];

export class Disk {
  /** The time that a round takes, at least and on average, in microseconds. */
  #least = 50;
  #mean = 400;
  /** The next round does not become durable. */
  failing = false;
  /** The next round takes so much longer. */
  stall = 0;
  #records = new Map<string, Uint8Array>();
  #round: { readonly deletes: Deletes; readonly puts: Puts } | undefined;
  readonly #chance: Chance;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  get isEmpty(): boolean {
    return this.#records.size === 0;
  }

  set mean(mean: number) {
    this.#mean = mean;
  }

  /** Every record, copied, as a host would read them. */
  read(): [string, Uint8Array][] {
    return [...this.#records].map(([key, value]) => [key, value.slice()]);
  }

  /** How long the round takes. */
  begin(deletes: Deletes, puts: Puts): number {
    this.#round = { deletes, puts };
    const stall = this.stall;
    this.stall = 0;
    return this.#least + this.#chance.exponential(this.#mean) + stall;
  }

  /** The round under way is durable. */
  finish(): void {
    const round = this.#round;
    this.#round = undefined;
    if (round === undefined) return;
    for (const [from, to] of round.deletes) {
      for (const key of [...this.#records.keys()]) {
        if (key >= from && key < to) this.#records.delete(key);
      }
    }
    for (const [key, value] of round.puts) this.#records.set(key, value);
  }

  /** The node is gone: the round under way was written, and nobody heard of it, or it was not. */
  crash(): void {
    if (this.#round !== undefined && this.#chance.happens(0.5)) this.finish();
    this.#round = undefined;
    this.stall = 0;
  }

  /** What it held is lost. */
  wipe(): void {
    this.#records = new Map();
    this.#round = undefined;
  }
}
