/** The core in a thread: loaded once, and gone for good when it panics. */

/** What an owner's thread calls of the WebAssembly. */
export interface Glue extends Loading, Pick<typeof import("../wasm/quorate_wasm.js"), "Client"> {}

/** How it is loaded into a thread. */
export interface Loading {
  initSync(from: { readonly module: WebAssembly.Module | BufferSource }): unknown;
  setPanicHandler(handler: (message: string, place: string) => void): void;
}

type Listener = (message: string) => void;

export interface Core<G extends Glue = Glue> {
  readonly glue: G;
  /** Instantiates it, the first time it is asked. */
  init(module: WebAssembly.Module): void;
  /** Hears of a panic, at once if it is past; returns what ends that. */
  onPanic(listener: Listener): () => void;
}

/** The core behind a glue. */
export function coreOf<G extends Glue>(glue: G): Core<G> {
  const listeners = new Set<Listener>();
  let state: "fresh" | "ready" | "panicked" = "fresh";
  let reason = "";
  return {
    glue,
    init(module) {
      if (state !== "fresh") return;
      glue.initSync({ module });
      state = "ready";
      glue.setPanicHandler((message, place) => {
        state = "panicked";
        reason = `the core panicked in this thread: ${message} (${place}); reload the page or restart the process`;
        for (const listener of [...listeners]) listener(reason);
        listeners.clear();
      });
    },
    onPanic(listener) {
      if (state === "panicked") listener(reason);
      else listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
