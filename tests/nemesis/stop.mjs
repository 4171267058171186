// What stops the thread of a node, and tells whether it stood still: both ends of one port.

/** In the worker, beside the package's code: does what the other end asks. */
export function obey(port) {
  let last = performance.now();
  /** The longest silence since each watch began. */
  const watches = new Map();
  const tick = () => {
    const now = performance.now();
    for (const [watch, longest] of watches) watches.set(watch, Math.max(longest, now - last));
    last = now;
  };
  setInterval(tick, 20);
  port.onmessage = ({ data: { ask, freeze, watch, end } }) => {
    tick();
    if (freeze !== undefined) {
      standStill(freeze);
      tick();
    }
    if (watch !== undefined) watches.set(watch, 0);
    port.postMessage({ ask, gap: watches.get(end) });
    watches.delete(end);
  };
}

/** Nothing of the thread runs meanwhile: no timer, no message, no promise. */
function standStill(ms) {
  if (globalThis.SharedArrayBuffer !== undefined) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    return;
  }
  // WebKit as GTK has it offers nothing to wait on.
  for (const end = performance.now() + ms; performance.now() < end; );
}

/** A worker, as the nemesis has it. What is asked of one that is gone, or halted, is answered with undefined. */
export class Stoppable {
  #port;
  #asked = new Map();
  #next = 0;
  #alive = true;

  /** Nothing takes longer than `patience` milliseconds. */
  constructor(worker, patience) {
    const { port1, port2 } = new MessageChannel();
    worker.postMessage({ type: "nemesis", port: port2 }, [port2]);
    this.#port = port1;
    this.#port.onmessage = ({ data: { ask, gap } }) => this.#answered(ask, gap);
    this.patience = patience;
  }

  /** Blocks the thread for so many milliseconds. */
  async freeze(ms) {
    await this.#ask({ freeze: ms });
  }

  /** Begins to watch the thread; what ends it, and tells for how many milliseconds it was silent at most. */
  async watch() {
    const watch = this.#next;
    await this.#ask({ watch });
    return () => this.#ask({ end: watch });
  }

  /** The worker is no more. */
  over() {
    this.#alive = false;
    for (const ask of this.#asked.keys()) this.#answered(ask);
    this.#port.close();
  }

  #ask(message) {
    if (!this.#alive) return Promise.resolve();
    const ask = this.#next++;
    this.#port.postMessage({ ask, ...message });
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answered(ask), this.patience);
      this.#asked.set(ask, { resolve, timer });
    });
  }

  #answered(ask, gap) {
    const { resolve, timer } = this.#asked.get(ask) ?? {};
    this.#asked.delete(ask);
    clearTimeout(timer);
    resolve?.(gap);
  }
}
