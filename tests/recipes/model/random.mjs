// Chance from a seed.

/** Numbers that look random, the same for the same seed. */
export class Random {
  #state;

  constructor(seed) {
    this.#state = (seed * 0x9e3779b9) >>> 0;
  }

  /** An integer from 0 to 2^32 - 1. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let it = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    it ^= it + Math.imul(it ^ (it >>> 7), it | 61);
    return (it ^ (it >>> 14)) >>> 0;
  }

  /** An integer from 0 to `bound` - 1. */
  below(bound) {
    return this.next() % bound;
  }

  /** True in `percent` of a hundred cases. */
  chance(percent) {
    return this.below(1000) < percent * 10;
  }

  pick(list) {
    return list[this.below(list.length)];
  }
}
