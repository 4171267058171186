/** What the page of the hunt says. Pure. */

import type { Finder } from "../hunt/found.js";
import type { Find } from "../hunt/tally.js";

const COUNT = new Intl.NumberFormat("en");

export const NO_BUG = "None: the code as it ships";

export const STATES = {
  waiting: "Not started",
  loading: "Loading the simulator",
  running: "Hunting",
  paused: "Paused, because this page is hidden",
  ended: "Stopped",
} as const;

export type State = keyof typeof STATES;

export function count(value: number): string {
  return COUNT.format(value);
}

/** Worlds in a second. */
export function perSecond(value: number): string {
  return value > 0 && value < 10 ? value.toFixed(1) : count(Math.round(value));
}

/** A virtual time in microseconds, by its two largest units. */
export function lived(micros: number): string {
  let rest = Math.floor(micros / 1_000_000);
  const parts: string[] = [];
  for (const [unit, seconds] of UNITS) {
    const whole = Math.floor(rest / seconds);
    rest -= whole * seconds;
    if (whole > 0) parts.push(`${count(whole)} ${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
] as const;

const worlds = (value: number) => `${count(value)} ${value === 1 ? "world" : "worlds"}`;

export const begun = (workers: number, bug: string | null) =>
  `Hunting ${bug === null ? "in the code as it ships" : `“${bug}”`} with ${workers} ${workers === 1 ? "worker" : "workers"}`;

export const ended = (lived: number, failed: number) =>
  `Stopped after ${worlds(lived)}: ${failed === 0 ? "none failed" : `${count(failed)} failed`}`;

export const found = ({ seed, property }: Find) => `World ${seed} breaks “${property}”`;

/** Of more failures than are shown. */
export const more = (shown: number, failed: number) =>
  failed > shown ? `These are the first ${count(shown)} of ${count(failed)}.` : "";

export const NOTHING_FOUND = "No world has failed.";
export const NOTHING_FAILED_YET = "Whatever fails is listed here.";
export const START = "Start";
export const START_ANEW = "Start anew";
export const inWorld = (seed: number) => `in world ${seed}`;
export const OPEN = "Open in the simulator";
export const openLabel = (seed: number) => `${OPEN}: world ${seed}`;
export const PASSED = "Passed";

export const FIND_IT = "Find it yourself";
export const SEARCH = "Let the machine search";
export const STOP_SEARCH = "Stop the search";
export const CHANGED = "The changed lines";
export const PLANTED_MEANS = "“planted” is true while the bug is switched on.";

export const searching = (lived: number) => `Searching: ${worlds(lived)} so far`;
export const searched = (lived: number, find: Find) =>
  `After ${worlds(lived)}: world ${find.seed} breaks “${find.property}”.`;
export const unsearched = (lived: number) => `Stopped after ${worlds(lived)}.`;

const FINDERS: Readonly<Record<Finder, string>> = {
  hand: "Found by you",
  search: "Found by the machine",
};
export const foundBy = (finder: Finder) => FINDERS[finder];

export const score = (found: number, all: number) => `${found} of ${all} found.`;

export const unloadable = (text: string) =>
  `The hunt cannot go on: ${text.replace(/\.$/, "")}. What this page says of the bugs can still be read.`;
export const BAD_SEED = "A seed is a whole number from 0 to 9,007,199,254,740,991.";
