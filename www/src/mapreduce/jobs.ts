/** The jobs that the page offers. Pure. */

import type { MapReduceOptions } from "quorate/mapreduce";

export type JobName = "wordcount" | "index" | "grep" | "longest";

/** What a visitor chose. */
export interface Choice {
  readonly job: JobName;
  /** What grep looks for. */
  readonly pattern: string;
}

/** How many outputs there are. */
export const PARTITIONS = 8;

/** The job as the package wants it. */
export function optionsOf(
  { job, pattern }: Choice,
  bytes: number,
): Omit<MapReduceOptions, "input"> {
  return {
    ...whatOf(job, pattern),
    partitions: PARTITIONS,
    // Some dozens of tasks, so that there is something to watch.
    split: Math.max(SPLIT_MIN, Math.min(SPLIT_MAX, Math.ceil(bytes / TASKS))),
    // A page has not as much memory as a server.
    memory: 16 << 20,
    lease: 5_000,
    // Visitors kill workers more often than chance does.
    attempts: 50,
  };
}

function whatOf(job: JobName, pattern: string): Pick<MapReduceOptions, "job" | "params"> {
  switch (job) {
    case "wordcount":
    case "index":
      return { job, params: { fold: true } };
    case "grep":
      return { job, params: { pattern } };
    case "longest":
      return { job: new URL("./longest.js", import.meta.url) };
  }
}

const TASKS = 48;
const SPLIT_MIN = 64 << 10;
const SPLIT_MAX = 64 << 20;
