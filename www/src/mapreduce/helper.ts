/** The page's own worker, as the page uses it: one for each question, gone with the answer. */

import type { Choice } from "./jobs.js";
import type { Answer, Request, Written } from "./worker.js";

export const makeSample = (bytes: number, signal: AbortSignal) =>
  ask<readonly File[]>({ do: "sample", bytes }, signal);

/** What a plain program writes. */
export const countPlainly = (files: readonly File[], choice: Choice, signal: AbortSignal) =>
  ask<Written>({ do: "count", files, choice }, signal);

/** What the cluster wrote, in one piece. */
export const mergeOutputs = (outputs: readonly Blob[], choice: Choice, signal: AbortSignal) =>
  ask<Written>({ do: "merge", outputs, choice }, signal);

function ask<Value>(request: Request, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  return new Promise<Value>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if ("error" in data) reject(data.error);
      else resolve(data.value as Value);
    };
    worker.onerror = (event) => reject(new Error(event.message || "its worker did not load"));
    worker.postMessage(request);
  }).finally(() => worker.terminate());
}
