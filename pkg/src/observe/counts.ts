/** What crosses from a node's worker to its owner when metrics are asked for. */

import type { Histogram } from "./types.js";

/** A worker's counters. */
export interface Counts {
  readonly uptime: number;
  readonly elections: number;
  readonly leaderChanges: number;
  /** By note: see `notes.ts`. */
  readonly messages: readonly number[];
  readonly requests: readonly number[];
  readonly replies: readonly number[];
  readonly snapshotsWritten: number;
  readonly snapshotsInstalled: number;
  readonly commit: Histogram;
  readonly apply: Histogram;
  readonly persist: Histogram;
  /** By peer. */
  readonly roundTrips: ReadonlyMap<number, Histogram>;
}
