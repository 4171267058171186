/** What a hunt has come to so far. Pure. */

import type { HuntResult } from "../sim/chunk.js";

/** So many failures are kept to be looked at; the others are counted. */
export const MAX_FINDS = 100;

/** The pace is that of the last so many milliseconds. */
const PACE_MS = 4_000;

/** A world that failed. */
export interface Find {
  readonly seed: number;
  readonly kind: "safety" | "liveness";
  readonly property: string;
  /** What was seen, in a sentence. */
  readonly text: string;
  /** The last event of the world. */
  readonly event: number;
}

/** Worlds that one worker has lived together. */
export interface Batch {
  readonly worlds: number;
  readonly events: number;
  readonly faults: number;
  /** Virtual microseconds. */
  readonly time: number;
  readonly finds: readonly Find[];
}

export interface Tally {
  readonly worlds: number;
  readonly events: number;
  readonly faults: number;
  /** Virtual microseconds. */
  readonly time: number;
  readonly failed: number;
  /** How many worlds broke each property. */
  readonly broken: ReadonlyMap<string, number>;
  /** The first of them, in the order in which they came. */
  readonly finds: readonly Find[];
  /** Batches of late: when they came, on whatever clock, and how many worlds each has. */
  readonly late: readonly { readonly at: number; readonly worlds: number }[];
  /** When the pace began to count. */
  readonly since: number;
}

export function beginning(now: number): Tally {
  const none = { worlds: 0, events: 0, faults: 0, time: 0, failed: 0 };
  return { ...none, broken: new Map(), finds: [], late: [], since: now };
}

/** What one world adds. */
export function batchOf(results: readonly HuntResult[]): Batch {
  const sum = (value: (result: HuntResult) => number) =>
    results.reduce((total, result) => total + value(result), 0);
  return {
    worlds: results.length,
    events: sum(({ events }) => events),
    faults: sum(({ faults }) => faults),
    time: sum(({ time }) => time),
    finds: results.flatMap(({ seed, events, failure }) =>
      failure === null ? [] : [{ seed, event: events, ...failure }],
    ),
  };
}

export function add(tally: Tally, batch: Batch, now: number): Tally {
  const broken = new Map(tally.broken);
  for (const { property } of batch.finds) broken.set(property, (broken.get(property) ?? 0) + 1);
  return {
    ...tally,
    worlds: tally.worlds + batch.worlds,
    events: tally.events + batch.events,
    faults: tally.faults + batch.faults,
    time: tally.time + batch.time,
    failed: tally.failed + batch.finds.length,
    broken,
    finds: [...tally.finds, ...batch.finds].slice(0, MAX_FINDS),
    late: [...tally.late, { at: now, worlds: batch.worlds }].filter(({ at }) => at > now - PACE_MS),
  };
}

/** Nothing was lived for a while: the pace counts anew. */
export function resumed(tally: Tally, now: number): Tally {
  return { ...tally, late: [], since: now };
}

/** Worlds per second of late. */
export function pace({ late, since }: Tally, now: number): number {
  const span = Math.min(PACE_MS, now - since);
  if (span <= 0) return 0;
  const worlds = late
    .filter(({ at }) => at > now - span)
    .reduce((sum, { worlds }) => sum + worlds, 0);
  return (worlds * 1_000) / span;
}
