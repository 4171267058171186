/** What the controls of a film say. Pure. */

import type { Moment } from "../sim/film.js";

export const BUTTONS = {
  begin: { label: "To the beginning", face: "❘◀", keys: "Home" },
  back: { label: "One event back", face: "◀", keys: "ArrowLeft" },
  play: { label: "Play", face: "▶", keys: "Space" },
  pause: { label: "Pause", face: "❚❚", keys: "Space" },
  forward: { label: "One event on", face: "▶❘", keys: "ArrowRight" },
  slower: { label: "Slower", face: "−", keys: "-" },
  faster: { label: "Faster", face: "+", keys: "+" },
} as const;

export const MOMENT_LABEL = "Moment";

/** A virtual time in microseconds. */
export function seconds(at: number, digits = 3): string {
  return `${(at / 1_000_000).toFixed(digits)} s`;
}

export function momentText({ event, at }: Moment): string {
  return `${seconds(at)}, ${event === 0 ? "before the first event" : `event ${event}`}`;
}

/** A speed: virtual milliseconds in a millisecond. */
export function speedText(speed: number): string {
  if (speed === 1) return "real time";
  return speed < 1 ? `${Math.round(1 / speed)}× slower` : `${speed}× faster`;
}
