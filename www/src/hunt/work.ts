/** What the page and the workers of a hunt say to each other. */

import type { Batch } from "./tally.js";

/** Lives the worlds of these seeds. */
export interface Order {
  readonly first: number;
  readonly count: number;
  readonly bug: string | null;
  /** How long faults come in each, in virtual milliseconds. */
  readonly torment: number;
}

/**
 * `lived`: how many milliseconds the order took, and what came of it. `spoiled`: the module has failed itself, in the last world of the
 * batch, and needs another worker; the seeds from `next` on were not lived. `problem`: there is no module, in a sentence.
 */
export type Report =
  | { readonly is: "lived"; readonly batch: Batch; readonly took: number }
  | { readonly is: "spoiled"; readonly batch: Batch; readonly next: number }
  | { readonly is: "problem"; readonly text: string };

/** An order is to take about so many milliseconds: few messages, and figures that move. */
export const ORDER_MS = 250;
const MAX_COUNT = 1_000;

/** How many worlds the next order has, after one of `count` that took so many milliseconds. */
export function nextCount(count: number, took: number): number {
  const fitting = took <= 0 ? MAX_COUNT : Math.round((count * ORDER_MS) / took);
  // Worlds differ a hundredfold, so one order says little about the next.
  return Math.max(1, Math.min(fitting, count * 4, MAX_COUNT));
}
