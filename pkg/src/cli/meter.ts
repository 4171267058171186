/** How far a job is, in one line of a terminal that is written over. */

import type { JobProgress } from "../mapreduce/types.js";
import { showCount } from "./values.js";

/** What the line shows. */
export interface Picture extends Pick<JobProgress, "phase" | "map" | "reduce" | "input"> {
  /** Bytes of input a second, since it is looked at. */
  readonly rate: number;
  readonly workers: number;
  /** Since it is looked at. */
  readonly ms: number;
}

/** The line, with less than `columns` characters: a line that wraps would not be written over. */
export function meterLine(picture: Picture, columns: number): string {
  const { phase, map, reduce, input, rate, workers, ms } = picture;
  const isOpen = phase === "waiting" || phase === "mapping";
  // As wide as it will be, so that the line does not tremble.
  const of = (done: string | number, all: string | number, by: string) =>
    `${String(done).padStart(String(all).length)}${by}${all}`;
  const words = [
    of(map.completed, map.total, "/"),
    of(reduce.completed, reduce.total, "/"),
    `${of(millions(input.read), millions(input.bytes), " of ")} MB`,
    `${millions(rate).padStart(6)} MB/s`,
    showCount(workers, "worker"),
    `${(ms / 1_000).toFixed(0)}s`,
  ];
  const line = (width: number) => {
    const [maps, reduces, ...rest] = words;
    const mapped = bar(isOpen ? share(input.read, input.bytes) : 1, width);
    const reduced = bar(share(reduce.completed, reduce.total), width);
    return [`map ${mapped} ${maps}`, `reduce ${reduced} ${reduces}`, ...rest].join("  ");
  };
  const room = columns - 1 - line(0).length;
  const width = Math.min(BAR_MAX, Math.max(BAR_MIN, Math.floor(room / 2)));
  return line(width).slice(0, Math.max(0, columns - 1));
}

/** `[####----]`, with so many characters between the brackets. */
export function bar(share: number, width: number): string {
  const filled = Math.floor(Math.min(1, Math.max(0, share)) * width);
  return `[${"#".repeat(filled)}${"-".repeat(width - filled)}]`;
}

const share = (done: number, total: number) => (total === 0 ? 0 : done / total);

/** Of bytes, as people like it: `12 bytes`, `3.4 kB`, `1200.5 MB`. */
export function amount(bytes: number): string {
  if (bytes < 1e3) return showCount(bytes, "byte");
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${millions(bytes)} MB`;
}

/** Millions, with one digit behind the point. */
const millions = (count: number) => (count / 1e6).toFixed(1);

/** A terminal, as far as it is used. */
export interface Screen {
  readonly columns?: number;
  write(text: string): unknown;
}

/** Draws the line, and draws it again as the job goes on. */
export class Meter {
  readonly #screen: Screen;
  readonly #workers: () => number;
  readonly #now: () => number;
  readonly #began: number;
  /** What others had read before. */
  #before: number | undefined;
  #rate = 0;
  #drawn = Number.NEGATIVE_INFINITY;

  constructor(screen: Screen, workers: () => number, now = () => performance.now()) {
    this.#screen = screen;
    this.#workers = workers;
    this.#now = now;
    this.#began = now();
  }

  show(progress: JobProgress): void {
    const now = this.#now();
    const ms = now - this.#began;
    this.#before ??= progress.input.read;
    // Afterwards it is what it was.
    if (progress.phase === "mapping" && ms > 0)
      this.#rate = ((progress.input.read - this.#before) / ms) * 1_000;
    if (now - this.#drawn < DRAW_MS) return;
    this.#drawn = now;
    const picture = { ...progress, rate: Math.max(0, this.#rate), workers: this.#workers(), ms };
    this.#screen.write(`\r\x1b[K${meterLine(picture, this.#screen.columns ?? 80)}`);
  }

  clear(): void {
    this.#screen.write("\r\x1b[K");
  }
}

const BAR_MAX = 24;
const BAR_MIN = 4;
const DRAW_MS = 100;
