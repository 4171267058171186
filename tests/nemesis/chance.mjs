// Chance from a seed: equal seeds and names make equal choices. What workers, disks and clocks do is not in it.

/** A stream of choices. Streams of other names are independent, so that one more choice in one moves no other. */
export function chanceOf(seed, name) {
  let state = Number(seed) >>> 0;
  for (const letter of name) state = Math.imul(state ^ letter.charCodeAt(0), 0x01000193) >>> 0;
  /** Mulberry32: from 0 up to but without 1. */
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end) => Math.floor(next() * end);
  return {
    below,
    between: (first, last) => first + below(last - first + 1),
    odds: (probability) => next() < probability,
    pick: (list) => list[below(list.length)],
    /** A key of `weights`, as often as its weight says. */
    weighted: (weights) => {
      const entries = Object.entries(weights);
      let at = below(entries.reduce((sum, [, weight]) => sum + weight, 0));
      for (const [key, weight] of entries) {
        if (at < weight) return key;
        at -= weight;
      }
      throw new Error("weights are positive integers");
    },
    /** So many of the list, in no order. */
    sample: (list, count) => {
      const rest = [...list];
      return Array.from({ length: count }, () => rest.splice(below(rest.length), 1)[0]);
    },
  };
}
