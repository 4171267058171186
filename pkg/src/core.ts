/** The core in this thread: loaded once, and gone for good when it panics. */

import { initSync, setPanicHandler } from "../wasm/quorate_wasm.js";

type Listener = (message: string) => void;

const listeners = new Set<Listener>();
let state: "fresh" | "ready" | "panicked" = "fresh";
let reason = "";

/** Instantiates the core in this thread, the first time it is asked. */
export function initCore(module: WebAssembly.Module): void {
  if (state !== "fresh") return;
  initSync({ module });
  state = "ready";
  setPanicHandler((message: string, place: string) => {
    state = "panicked";
    reason = `the core panicked in this thread: ${message} (${place}); reload the page or restart the process`;
    for (const listener of [...listeners]) listener(reason);
    listeners.clear();
  });
}

/** Hears of a panic, at once if it is past; returns what ends that. */
export function onPanic(listener: Listener): () => void {
  if (state === "panicked") listener(reason);
  else listeners.add(listener);
  return () => listeners.delete(listener);
}
