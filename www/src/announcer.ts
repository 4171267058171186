/** Tells a screen reader what happened: politely, and no faster than it can speak. */

import { setText } from "./dom.js";

/** At most one announcement in so many milliseconds. */
const INTERVAL_MS = 2_000;
/** When more came together, the older ones are left to the list of events. */
const TOGETHER = 3;

export class Announcer {
  readonly #region: HTMLElement;
  #waiting: string[] = [];
  #resting = false;

  /** `region` is a polite live region. */
  constructor(region: HTMLElement) {
    this.#region = region;
  }

  say(text: string): void {
    this.#waiting = [...this.#waiting, text].slice(-TOGETHER);
    if (!this.#resting) this.#speak();
  }

  #speak(): void {
    this.#resting = this.#waiting.length > 0;
    if (!this.#resting) return;
    setText(this.#region, this.#waiting.map((text) => `${text}.`).join(" "));
    this.#waiting = [];
    setTimeout(() => this.#speak(), INTERVAL_MS);
  }
}
