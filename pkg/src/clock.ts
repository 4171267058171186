/** The clocks of this thread, as far as they can be believed: somebody may have put others in their place, and no node ends by that. */

let latest = 0;

/** Milliseconds since this thread began, never fewer than before. Stands still while the clock fails, or says what no clock says. */
export function now(): number {
  try {
    const time = performance.now();
    if (time < MAX_MS) latest = Math.max(latest, time);
  } catch {
    // It stands still.
  }
  return latest;
}

/** The same since 1970, to compare with other threads' times. */
export function nowSinceEpoch(): number {
  return performance.timeOrigin + now();
}

/** The wall clock's milliseconds since 1970; `NaN` if it fails. */
export function wallMs(): number {
  try {
    return Date.now();
  } catch {
    return Number.NaN;
  }
}

/** No clock goes on for three hundred years. */
const MAX_MS = 1e13;
