/** What happens next: events in the order of their time, and of their making where times are equal. */

interface Planned {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Virtual time, in microseconds. */
export class Queue {
  now = 0;
  #made = 0;
  /** A heap: none comes before the one at half its place. */
  readonly #heap: Planned[] = [];

  /** `run` comes at `at`, or now if that is past. */
  at(at: number, run: () => void): void {
    this.#made += 1;
    const event = { at: Math.max(at, this.now), order: this.#made, run };
    const heap = this.#heap;
    let place = heap.push(event) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = heap[above] as Planned;
      if (!before(event, other)) break;
      heap[place] = other;
      place = above;
    }
    heap[place] = event;
  }

  after(pause: number, run: () => void): void {
    this.at(this.now + pause, run);
  }

  /** Does what comes next, if it comes by `end`. Whether there was something. */
  step(end: number): boolean {
    const next = this.#heap[0];
    if (next === undefined || next.at > end) {
      this.now = Math.max(this.now, end);
      return false;
    }
    this.now = next.at;
    this.#drop();
    next.run();
    return true;
  }

  #drop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Planned;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) break;
      const right = heap[below + 1];
      if (right !== undefined && before(right, heap[below] as Planned)) below += 1;
      const other = heap[below] as Planned;
      if (!before(other, last)) break;
      heap[place] = other;
      place = below;
    }
    heap[place] = last;
  }
}

function before(a: Planned, b: Planned): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
