/** The page's sentences. Pure. */

import type { JobEvent, JobPhase } from "quorate/mapreduce";

import type { Choice } from "./jobs.js";
import type { Happening, Model, NodeModel, Outcome, Trouble } from "./model.js";
import type { Attempt, Fate } from "./timeline.js";

/** One sentence for the whole. */
export function summary({ stage, leader, progress, outcome }: Model): string {
  switch (stage) {
    case "opening":
      return "Opening the cluster…";
    case "failed":
      return "There is no cluster in this tab.";
    case "ready":
      if (outcome === null) return "Ready: choose files or the sample, and start.";
      return outcome.plain === "stopped" ? "The job is done." : verdict(outcome);
    case "preparing":
      return "The sample is being written…";
    case "comparing":
      return "The job is done; a plain program counts once more…";
    case "running": {
      const lead = leader === null ? "; there is no leader just now, and the workers go on" : "";
      return `${PHASES[progress?.phase ?? "waiting"]}${lead}.`;
    }
  }
}

const PHASES: Readonly<Record<JobPhase, string>> = {
  waiting: "The job is being told to the nodes",
  mapping: "Map: the input is read",
  reducing: "Reduce: what belongs together is put together",
  publishing: "The results are published",
  completed: "The job is done",
  failed: "The job has failed",
  cancelled: "The job was cancelled",
};

/** Whether the two wrote the same. */
export function verdict({ written, plain }: Outcome): string {
  if (plain === "waiting") return "A plain program counts once more, one line after the other…";
  if (plain === "stopped") return "The comparison was stopped.";
  return plain.digest === written.digest
    ? `Identical: the cluster and a plain program wrote the same ${bytes(written.blob.size)}, byte for byte.`
    : `Different: the cluster wrote ${bytes(written.blob.size)}, a plain program ${bytes(plain.blob.size)}.`;
}

/** How fast the two were. */
export function comparison({ time, bytes: input, plain }: Outcome): string {
  const cluster = `The job took ${seconds(time)} (${rate(input, time)})`;
  if (typeof plain === "string") return `${cluster}.`;
  return `${cluster}, the plain program ${seconds(plain.time)} (${rate(input, plain.time)}).`;
}

export function isSame({ written, plain }: Outcome): boolean | undefined {
  return typeof plain === "string" ? undefined : plain.digest === written.digest;
}

export const FATES: Readonly<Record<Fate, string>> = {
  running: "under way",
  won: "won",
  beaten: "beaten by another attempt",
  probed: "searched for a bad record",
  expired: "not heard of in time",
  died: "its worker died",
  left: "given up",
  failed: "failed",
  gone: "its files are gone",
};

/** What a worker's row shows, in words. */
export function rowInWords(number: number, attempts: readonly Attempt[]): string {
  const counts = new Map<string, number>();
  for (const { kind, fate } of attempts) {
    const name = `${kind} ${FATES[fate]}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const list = [...counts].map(([name, count]) => `${count} × ${name}`);
  return `Worker ${number}: ${list.length === 0 ? "nothing yet" : list.join(", ")}`;
}

export function attemptInWords({ kind, task, attempt, fate, from, to, isBackup }: Attempt): string {
  const took = to === undefined ? "" : `, ${seconds(to - from)}`;
  const name = kind === "publish" ? "publish" : `${kind} ${task}`;
  return `${name}, attempt ${attempt}${isBackup ? " (a backup)" : ""}: ${FATES[fate]}${took}`;
}

/** What is told of an event: of an attempt that goes well nothing. */
export function news(
  { what, kind, task, detail }: JobEvent,
  worker: number | undefined,
): Pick<Happening, "kind" | "text"> | undefined {
  const who = worker === undefined ? "A worker" : `Worker ${worker}`;
  const which = kind === "publish" ? "publishing" : `${kind} task ${task}`;
  switch (what) {
    case "phase":
      return { kind: "step", text: PHASES[detail as JobPhase] };
    case "backup":
      return { kind: "step", text: `${who} begins ${which} too: another is slow at it` };
    case "beaten":
      return { kind: "step", text: `${who} has done ${which} after another` };
    case "expired":
      return { kind: "fault", text: `${who} was not heard of in time: ${which} is given away` };
    case "died":
      return { kind: "fault", text: `${who} died on ${which}: it will be done again` };
    case "failed":
      return { kind: "fault", text: `${who} failed at ${which}` };
    case "skipped":
      return { kind: "fault", text: `The record at ${detail} of ${which} is left out` };
    case "gone":
      return { kind: "fault", text: `What ${which} had stored is gone: it will be done again` };
    default:
      return undefined;
  }
}

/** What a node is. */
export function standing({ id, state }: NodeModel, leader: number | null): [string, string] {
  if (state !== "running") return [state, STATES[state]];
  return id === leader ? ["leader", "Leader"] : ["follower", "Follower"];
}

const STATES = { starting: "Starting…", killed: "Killed", halted: "Halted" } as const;

/** What a visitor can do about it; empty if there is nothing. */
export function advice({ code }: Trouble): string {
  switch (code) {
    case "STORAGE_LOCKED":
      return "This page is open in another tab: close that tab and try again.";
    case "STORAGE_UNAVAILABLE":
      return "This browser lets the page store nothing, as in some private windows: open it in an ordinary one.";
    case "SCRATCH_FULL":
      return "There is no room left: take a smaller text, or free some space.";
    case "INPUT_CHANGED":
    case "INPUT_NOT_FOUND":
      return "A file cannot be read, or is another one by now: choose it again. A folder is no file.";
    case "INPUT_EMPTY":
      return "Choose files with something in them, or use the sample.";
    case "OUTPUT_TOO_LARGE":
      return "Look for something that is found less often.";
    default:
      return "";
  }
}

/** Something that went wrong, in sentences. */
export function sentences(trouble: Trouble): string {
  const { code, text } = trouble;
  const plain = text.charAt(0).toUpperCase() + text.slice(1);
  const ended = /[.!?…]$/.test(plain) ? plain : `${plain}.`;
  return [ended, advice(trouble), `(${code})`].filter((part) => part !== "").join(" ");
}

/** Where the columns of the result get their names from. */
export const COLUMNS: Readonly<Record<Choice["job"], readonly [string, string, string]>> = {
  wordcount: ["Word", "Count", "The most frequent words"],
  index: ["Word", "Files", "The first words, and the files that have them"],
  grep: ["Line", "Text", "The first lines that have it"],
  longest: ["Letter", "Word", "The longest word of each letter"],
};

/** What is to be read. */
export function filesInWords(files: readonly File[]): string {
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const names = files.slice(0, 3).map(({ name }) => name);
  const more = files.length > names.length ? ` and ${files.length - names.length} more` : "";
  return `${names.join(", ")}${more}: ${bytes(size)}`;
}

export function bytes(count: number): string {
  if (count < 1_000) return `${count} bytes`;
  return count < 1_000_000
    ? `${(count / 1_000).toFixed(1)} KB`
    : `${(count / 1_000_000).toFixed(1)} MB`;
}

export const seconds = (ms: number) => `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
export const rate = (count: number, ms: number) =>
  ms <= 0 ? "–" : `${(count / 1_000 / ms).toFixed(1)} MB/s`;
