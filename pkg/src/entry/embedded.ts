/** WebAssembly and worker as part of the code. */

import wasm from "quorate:wasm";
import worker from "quorate:worker";
import type { Assets } from "./browser.js";

/** One URL for all workers, for as long as the page lives. */
let workerUrl: string | undefined;

export const embedded: Assets = {
  module: async () => {
    const gzipped = new Blob([Uint8Array.from(atob(wasm), (char) => char.charCodeAt(0))]);
    const bytes = gzipped.stream().pipeThrough(new DecompressionStream("gzip"));
    return WebAssembly.compile(await new Response(bytes).arrayBuffer());
  },
  worker: () => {
    workerUrl ??= URL.createObjectURL(new Blob([worker], { type: "text/javascript" }));
    return new Worker(workerUrl, { type: "module" });
  },
};
