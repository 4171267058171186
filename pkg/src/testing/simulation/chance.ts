/** Chance of a simulated world: one stream for each concern, all from one seed, so that a draw in one shifts no other. */

import { randomOf } from "../../machine/random.js";
import type { Random } from "./types.js";

/** What a stream is for. Numbers from `CALLS` on are those of clients. */
export const SHAPE = 1;
export const NETWORK = 2;
export const DISKS = 3;
export const CLOCKS = 4;
export const NODES = 5;
export const FAULTS = 6;
export const MACHINES = 7;
export const MODEL = 8;
export const PAUSES = 1_000;
export const CALLS = 2_000;

/** The numbers of one stream. */
export class Chance {
  readonly #next: () => number;

  constructor(seed: number, stream: number) {
    this.#next = randomOf(seed, stream);
  }

  /** From 0 up to but without 1. */
  next(): number {
    return this.#next();
  }

  /** A whole number from 0 up to but without `end`. */
  below(end: number): number {
    return Math.floor(this.#next() * end);
  }

  /** A whole number from `low` up to and with `high`. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** Whether something of this probability happens. */
  happens(probability: number): boolean {
    return this.#next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** The same items in another order. */
  shuffled<T>(list: readonly T[]): T[] {
    const left = [...list];
    return list.map(() => left.splice(this.below(left.length), 1)[0] as T);
  }

  /** Exponentially distributed, by arithmetic that is the same in every engine: −ln u, linear between powers of two. */
  exponential(mean: number): number {
    let [u, halvings] = [1 - this.#next(), 0];
    for (; u < 0.5 && halvings < 60; halvings++) u *= 2;
    return Math.floor((halvings + (1 - u) * 2) * Math.LN2 * mean);
  }
}

/** What a caller's own functions draw from. */
export function randomFor(seed: number, stream: number): Random {
  const chance = new Chance(seed, stream);
  return Object.assign(() => chance.next(), {
    integer: (end: number) => chance.below(end),
    pick: <T>(list: readonly T[]) => chance.pick(list),
  });
}
