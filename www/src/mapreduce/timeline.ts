/** What workers did, and when: made of the events of a job. Pure. */

import type { JobEvent } from "quorate/mapreduce";

/** What became of an attempt. */
export type Fate =
  | "running"
  | "won"
  | "beaten"
  | "probed"
  | "expired"
  | "died"
  | "left"
  | "failed"
  | "gone";

/** A task in the hands of a worker. Times are log time, in milliseconds. */
export interface Attempt {
  readonly kind: JobEvent["kind"];
  readonly task: number;
  readonly attempt: number;
  readonly worker: number;
  readonly from: number;
  /** As long as it is under way, nothing. */
  readonly to: number | undefined;
  readonly fate: Fate;
  readonly isBackup: boolean;
}

export interface Timeline {
  /** When the job began. */
  readonly from: number;
  /** When something happened last. */
  readonly to: number;
  /** The latest {@link ATTEMPTS_MAX}, by when they began. */
  readonly attempts: readonly Attempt[];
}

export const nothingYet: Timeline = { from: 0, to: 0, attempts: [] };

/** So many attempts are kept, those that are over longest left out first. */
export const ATTEMPTS_MAX = 1_000;

/** The timeline with one event more. */
export function advance(timeline: Timeline, event: JobEvent): Timeline {
  const { number, time, what } = event;
  const from = number === 0 ? time : timeline.from;
  return { from, to: Math.max(timeline.to, time), attempts: attemptsAfter(timeline, event, what) };
}

function attemptsAfter(
  { attempts }: Timeline,
  event: JobEvent,
  what: JobEvent["what"],
): readonly Attempt[] {
  const { kind, task, attempt, worker, time, detail } = event;
  switch (what) {
    case "given":
    case "backup":
    case "probe": {
      const isBackup = what === "backup";
      const begun = { kind, task, attempt, worker, from: time, to: undefined, isBackup };
      return [...attempts, { ...begun, fate: "running" as const }].slice(-ATTEMPTS_MAX);
    }
    case "phase":
      // Whoever is still at it has lost to another, or the job has ended without it.
      return OVER.includes(String(detail))
        ? attempts.map((one) => (one.fate === "running" ? { ...one, to: time, fate: "left" } : one))
        : attempts;
    case "skipped":
      return attempts;
    default:
      return attempts.map((one) =>
        one.kind === kind && one.task === task && one.attempt === attempt
          ? { ...one, to: one.to ?? time, fate: what }
          : one,
      );
  }
}

const OVER: readonly string[] = ["completed", "failed", "cancelled"];
