/** The workers of a hunt: each gets seeds to live, and more when it is done. */

import type { Batch } from "./tally.js";
import { nextCount, type Order, type Report } from "./work.js";

/** What a worker is to the pack: `Worker`, but for tests. */
export interface Hound {
  postMessage(order: Order): void;
  onmessage: ((event: MessageEvent<Report>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  terminate(): void;
}

export interface Quarry {
  readonly bug: string | null;
  readonly torment: number;
  /** The first seed. */
  readonly first: number;
}

export interface Listener {
  lived(batch: Batch): void;
  /** The hunt cannot go on. */
  failed(text: string): void;
}

export class Pack {
  readonly #hire: () => Hound;
  readonly #quarry: Quarry;
  readonly #listener: Listener;
  readonly #idle = new Set<Hound>();
  /** Those that live worlds, and those that are to go when they are done. */
  readonly #busy = new Map<Hound, { count: number }>();
  /** Seeds that were given out, and not lived. */
  readonly #returned: { first: number; count: number }[] = [];
  #next: number;
  #size = 0;
  #isPaused = false;

  constructor(hire: () => Hound, quarry: Quarry, listener: Listener) {
    this.#hire = hire;
    this.#quarry = quarry;
    this.#listener = listener;
    this.#next = quarry.first;
  }

  /** Goes on with so many workers; those that are too many finish what they have begun. */
  resize(size: number): void {
    this.#size = size;
    while (this.#count > size && this.#idle.size > 0) {
      const [hound] = this.#idle;
      if (hound !== undefined) this.#dismiss(hound);
    }
    while (this.#count < size) this.#take();
  }

  /** Whether new worlds are begun. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (isPaused) return;
    for (const hound of [...this.#idle]) this.#send(hound, 1);
  }

  /** Ends all workers at once, with what they have begun. */
  end(): void {
    this.#size = 0;
    for (const hound of [...this.#idle, ...this.#busy.keys()]) this.#dismiss(hound);
  }

  get #count(): number {
    return this.#idle.size + this.#busy.size;
  }

  #take(): void {
    const hound = this.#hire();
    hound.onmessage = ({ data }) => this.#hear(hound, data);
    hound.onerror = (event) => {
      event.preventDefault();
      this.#fail(event.message);
    };
    this.#idle.add(hound);
    if (!this.#isPaused) this.#send(hound, 1);
  }

  #send(hound: Hound, wanted: number): void {
    const { bug, torment } = this.#quarry;
    const { first, count } = this.#returned.shift() ?? { first: this.#next, count: wanted };
    this.#next = Math.max(this.#next, first + count);
    this.#idle.delete(hound);
    this.#busy.set(hound, { count });
    hound.postMessage({ first, count, bug, torment });
  }

  #hear(hound: Hound, report: Report): void {
    const order = this.#busy.get(hound);
    if (order === undefined) return;
    if (report.is === "problem") {
      this.#fail(report.text);
      return;
    }
    if (report.is === "lived") {
      this.#busy.delete(hound);
      this.#idle.add(hound);
      if (this.#count > this.#size) this.#dismiss(hound);
      else if (!this.#isPaused) this.#send(hound, nextCount(order.count, report.took));
    } else {
      const left = order.count - report.batch.worlds;
      if (left > 0) this.#returned.push({ first: report.next, count: left });
      this.#dismiss(hound);
      if (this.#count < this.#size) this.#take();
    }
    this.#listener.lived(report.batch);
  }

  #fail(text: string): void {
    this.end();
    this.#listener.failed(text);
  }

  #dismiss(hound: Hound): void {
    this.#idle.delete(hound);
    this.#busy.delete(hound);
    hound.onmessage = null;
    hound.onerror = null;
    hound.terminate();
  }
}
