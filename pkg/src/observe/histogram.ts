/** Latencies in fixed buckets: to observe one is to find its bucket and to count. */

import type { Histogram } from "./types.js";

/** The upper bounds of the buckets in seconds; one more bucket has what is above. */
export const BOUNDS: readonly number[] = Object.freeze([
  0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
  10,
]);

export class Buckets {
  readonly counts: number[] = new Array(BOUNDS.length + 1).fill(0);
  sum = 0;

  /** Counts a latency, `times` over. A clock that steps back gives nothing less than zero. */
  observe(ms: number, times = 1): void {
    const seconds = Math.max(0, ms) / 1_000;
    let at = 0;
    while (at < BOUNDS.length && seconds > (BOUNDS[at] as number)) at++;
    this.counts[at] = (this.counts[at] as number) + times;
    this.sum += seconds * times;
  }

  picture(): Histogram {
    return { bounds: BOUNDS, counts: [...this.counts], sum: this.sum, count: total(this.counts) };
  }
}

/** All of them as one. */
export function merged(histograms: readonly Histogram[]): Histogram {
  const sum = new Buckets();
  for (const { counts, sum: seconds } of histograms) {
    counts.forEach((count, at) => {
      sum.counts[at] = (sum.counts[at] ?? 0) + count;
    });
    sum.sum += seconds;
  }
  return sum.picture();
}

/** At most how many seconds this share of what was observed took, by the bounds of the buckets: `Infinity` if above all. */
export function quantile({ bounds, counts, count }: Histogram, share: number): number {
  let seen = 0;
  for (const [at, bound] of bounds.entries()) {
    seen += counts[at] ?? 0;
    if (count > 0 && seen >= share * count) return bound;
  }
  return count === 0 ? 0 : Infinity;
}

const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);
