/** Where in a film one is, and how fast one goes. Pure: time is an argument. */

import { BEGINNING, type Film, type Moment } from "../sim/film.js";

/** The speeds to choose from: virtual milliseconds in a millisecond. */
export const SPEEDS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10] as const;
export const USUAL_SPEED = SPEEDS.indexOf(0.1);

/** After a tab was hidden, a film does not jump ahead. In milliseconds. */
const LONGEST_FRAME = 100;

export interface Playhead {
  readonly moment: Moment;
  readonly playing: boolean;
  /** A place in `SPEEDS`. */
  readonly speed: number;
}

export const AT_BEGINNING: Playhead = { moment: BEGINNING, playing: false, speed: USUAL_SPEED };

/** The time (virtual microseconds) at which one would be after so many milliseconds. */
export function ahead({ moment, speed }: Playhead, elapsed: number): number {
  return moment.at + Math.min(elapsed, LONGEST_FRAME) * 1_000 * (SPEEDS[speed] ?? 1);
}

/** The playhead after so many milliseconds. At the end of a film that goes no further it stops; else it waits for more. */
export function played(head: Playhead, elapsed: number, film: Film, goesOn: boolean): Playhead {
  if (!head.playing) return head;
  const at = ahead(head, elapsed);
  if (at < film.end.at) return { ...head, moment: later(head.moment, film.momentAt(at)) };
  return { ...head, moment: later(head.moment, film.end), playing: goesOn };
}

/** One that stands between two events of the same time does not go back. */
function later(a: Moment, b: Moment): Moment {
  return b.event < a.event ? a : b;
}

export function stepped(head: Playhead, film: Film, by: 1 | -1): Playhead {
  const moment = by === 1 ? film.next(head.moment) : film.previous(head.moment);
  return { ...head, playing: false, moment: moment ?? head.moment };
}

export function faster(head: Playhead, by: 1 | -1): Playhead {
  return { ...head, speed: Math.min(Math.max(head.speed + by, 0), SPEEDS.length - 1) };
}
