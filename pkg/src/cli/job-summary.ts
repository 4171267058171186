/** What came of a job: an object for programs, and lines for people. */

import type { JobEvent, JobProgress, JobResult } from "../mapreduce/types.js";
import { amount } from "./meter.js";
import { type Straggler, stragglersOf, stragglerTable } from "./stragglers.js";
import { showCount } from "./values.js";

/** What a phase did. */
export interface PhaseSummary {
  readonly tasks: number;
  /** What it reads: the input, or what the map tasks stored. */
  readonly bytes: number;
  /** In log time; nothing where its beginning is not known any more. */
  readonly seconds: number | undefined;
  readonly mbPerSecond: number | undefined;
}

export interface JobSummary {
  readonly job: number;
  /** Those of a directory's name, `part-00000` and so on; without one, as many. */
  readonly outputs: readonly { readonly partition: number; readonly bytes: number }[];
  readonly counters: JobResult["counters"];
  readonly seconds: number | undefined;
  readonly map: PhaseSummary;
  readonly reduce: PhaseSummary;
  readonly stragglers: readonly Straggler[];
}

export function summaryOf(
  { id, outputs, counters }: Pick<JobResult, "id" | "outputs" | "counters">,
  { map, reduce, input }: Pick<JobProgress, "map" | "reduce" | "input">,
  events: readonly JobEvent[],
): JobSummary {
  const begin = (phase: string) =>
    events.find(({ what, detail }) => what === "phase" && detail === phase)?.time;
  const last = events.at(-1)?.time;
  const between = (from: number | undefined, to: number | undefined) =>
    from === undefined || to === undefined ? undefined : (to - from) / 1_000;
  const [mapping, reducing, publishing] = ["mapping", "reducing", "publishing"].map(begin);
  const phase = (tasks: number, bytes: number, seconds: number | undefined): PhaseSummary => ({
    ...{ tasks, bytes, seconds },
    mbPerSecond: seconds ? Math.round(bytes / seconds / 1e5) / 10 : undefined,
  });
  return {
    job: id,
    outputs: outputs.map(({ partition, size: bytes }) => ({ partition, bytes })),
    counters,
    seconds: between(mapping, last),
    map: phase(map.total, input.bytes, between(mapping, reducing)),
    reduce: phase(reduce.total, map.bytes, between(reducing, publishing)),
    stragglers: stragglersOf(events),
  };
}

export function summaryText(summary: JobSummary, where: string | undefined): string {
  const { job, outputs, counters, seconds, map, reduce, stragglers } = summary;
  const bytes = outputs.reduce((sum, output) => sum + output.bytes, 0);
  const took = seconds === undefined ? "" : `, ${seconds.toFixed(2)} s`;
  const place = where === undefined ? "" : ` in ${where}`;
  const row = (name: string, { tasks, bytes, seconds, mbPerSecond }: PhaseSummary) =>
    [
      name.padEnd(6),
      showCount(tasks, "task").padStart(12),
      amount(bytes).padStart(14),
      (seconds === undefined ? "" : `${seconds.toFixed(2)} s`).padStart(12),
      (mbPerSecond === undefined ? "" : `${mbPerSecond.toFixed(1)} MB/s`).padStart(14),
    ]
      .join("")
      .trimEnd();
  return [
    `job ${job}: ${showCount(outputs.length, "output")}, ${amount(bytes)}${place}${took}`,
    row("map", map),
    row("reduce", reduce),
    Object.entries(counters)
      .map(([name, count]) => `${name} ${count}`)
      .join(", "),
    stragglerTable(stragglers),
  ].join("\n");
}
