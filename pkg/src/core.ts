/** The core in a thread: loaded once, and gone for good when it panics. */

/** What an owner's thread calls of the WebAssembly. */
export interface Glue extends Loading, Pick<typeof import("../wasm/quorate_wasm.js"), "Client"> {}

/** How it is loaded into a thread. */
export interface Loading {
  initSync(from: { readonly module: WebAssembly.Module | BufferSource }): unknown;
  setPanicHandler(handler: (message: string, place: string) => void): void;
}

type Listener = (message: string) => void;

export class Core<G extends Glue = Glue> {
  readonly glue: G;
  readonly #listeners = new Set<Listener>();
  #state: "fresh" | "ready" | "panicked" = "fresh";
  #reason = "";

  constructor(glue: G) {
    this.glue = glue;
  }

  /** Instantiates it, the first time it is asked. */
  init(module: WebAssembly.Module): void {
    if (this.#state !== "fresh") return;
    this.glue.initSync({ module });
    this.#state = "ready";
    this.glue.setPanicHandler((message: string, place: string) => {
      this.#state = "panicked";
      this.#reason = `the core panicked in this thread: ${message} (${place}); reload the page or restart the process`;
      for (const listener of [...this.#listeners]) listener(this.#reason);
      this.#listeners.clear();
    });
  }

  /** Hears of a panic, at once if it is past; returns what ends that. */
  onPanic(listener: Listener): () => void {
    if (this.#state === "panicked") listener(this.#reason);
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
