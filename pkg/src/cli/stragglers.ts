/** Which attempts of a job took notably longer than others of their kind. */

import type { JobEvent } from "../mapreduce/types.js";

/** What became of an attempt; `running` if nothing is known of its end. */
export type Fate = "won" | "beaten" | "expired" | "died" | "left" | "failed" | "lost" | "running";

/** An attempt that took long. */
export interface Straggler {
  /** As `map 3`. */
  readonly task: string;
  readonly attempt: number;
  /** Whether it was a second one, beside one that was slow. */
  readonly backup: boolean;
  /** Counted from 1, in the order in which the workers took up their first attempts. */
  readonly worker: number;
  readonly ms: number;
  /** How many times the median of the attempts of its kind that won. */
  readonly times: number;
  readonly fate: Fate;
}

/** The slowest first. What happens to searches for a record that does harm does not count. */
export function stragglersOf(events: readonly JobEvent[]): Straggler[] {
  const attempts = attemptsOf(events);
  // What is lost had won before.
  const winners = attempts.filter(({ fate }) => fate === "won" || fate === "lost");
  const median = {
    map: medianOf(winners.filter(({ kind }) => kind === "map")),
    reduce: medianOf(winners.filter(({ kind }) => kind === "reduce")),
  };
  return attempts
    .map(({ kind, task, attempt, backup, worker, ms, fate }): Straggler => {
      const usual = Math.max(1, median[kind]);
      const times = Math.round((ms / usual) * 10) / 10;
      return { task: `${kind} ${task}`, attempt, backup, worker, ms, times, fate };
    })
    .filter(({ ms, task }) => {
      const usual = median[task.startsWith("map") ? "map" : "reduce"];
      return ms > usual * SLOW_TIMES && ms - usual > SLOW_MS;
    })
    .sort((a, b) => b.ms - a.ms);
}

interface Attempt {
  readonly kind: "map" | "reduce";
  readonly task: number;
  readonly attempt: number;
  readonly backup: boolean;
  readonly worker: number;
  readonly since: number;
  ms: number;
  fate: Fate;
}

function attemptsOf(events: readonly JobEvent[]): Attempt[] {
  const attempts = new Map<string, Attempt>();
  const workers = new Map<number, number>();
  for (const { what, kind, task, attempt, worker, time: since } of events) {
    if (kind !== "map" && kind !== "reduce") continue;
    const name = `${kind} ${task} ${attempt}`;
    if (what === "given" || what === "backup") {
      const number = workers.get(worker) ?? workers.size + 1;
      workers.set(worker, number);
      const begun = { kind, task, attempt, worker: number, since };
      attempts.set(name, {
        ...begun,
        backup: what === "backup",
        ms: 0,
        fate: "running",
      });
      continue;
    }
    const known = attempts.get(name);
    const fate = FATES[what];
    if (known === undefined || fate === undefined) continue;
    // One that was given up may be the first to be done all the same.
    known.fate = fate;
    // What is lost later took no longer for that.
    if (fate !== "lost") known.ms = since - known.since;
  }
  const last = events.at(-1)?.time ?? 0;
  for (const each of attempts.values()) if (each.fate === "running") each.ms = last - each.since;
  return [...attempts.values()];
}

function medianOf(attempts: readonly Attempt[]): number {
  const times = attempts.map(({ ms }) => ms).sort((a, b) => a - b);
  const middle = times.length >> 1;
  const upper = times[middle] ?? 0;
  return times.length % 2 === 1 ? upper : ((times[middle - 1] ?? 0) + upper) / 2;
}

/** A table for people; a sentence if there are none. */
export function stragglerTable(stragglers: readonly Straggler[]): string {
  if (stragglers.length === 0)
    return `no stragglers: no attempt took more than ${SLOW_TIMES} times the median of its kind, and ${SLOW_MS} ms more`;
  const rows = stragglers
    .slice(0, ROWS_MAX)
    .map(({ task, attempt, backup, worker, ms, times, fate }) => [
      task,
      `${attempt + 1}${backup ? " (backup)" : ""}`,
      String(worker),
      `${(ms / 1_000).toFixed(2)} s`,
      `${times.toFixed(1)} x`,
      fate,
    ]);
  const table = [["stragglers", "attempt", "worker", "took", "median", "became"], ...rows];
  const widths = table[0]?.map((_, at) => Math.max(...table.map((row) => row[at]?.length ?? 0)));
  const lines = table.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths?.[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const rest = stragglers.length - ROWS_MAX;
  return [...lines, ...(rest > 0 ? [`and ${rest} more`] : [])].join("\n");
}

const FATES: Partial<Record<JobEvent["what"], Fate>> = {
  won: "won",
  beaten: "beaten",
  expired: "expired",
  died: "died",
  left: "left",
  failed: "failed",
  gone: "lost",
};
/** Slow is what takes so many times the median … */
const SLOW_TIMES = 1.5;
/** … and so much longer than it: of what takes a moment, twice as long is nothing. */
const SLOW_MS = 250;
const ROWS_MAX = 10;
