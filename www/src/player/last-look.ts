/**
 * Lists are drawn a few times a second, so the last frame before all stands still may have left something out: one more frame follows
 * it, later than any list waits.
 */

/** Longer than any list waits, in milliseconds. */
const LATER_MS = 300;

export class LastLook {
  readonly #wake: () => void;
  #shown: readonly unknown[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** Told at each frame what it shows. */
  after(...shown: readonly unknown[]): void {
    if (shown.every((one, at) => one === this.#shown[at])) return;
    this.#shown = shown;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#wake, LATER_MS);
  }
}
