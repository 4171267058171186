/** A node's worker in a browser, for the page that made it alone. */

import type { FromWorker, ToWorker } from "./protocol.js";
import { runWorker, type WorkerGlue } from "./worker-main.js";

/** What is used of a dedicated worker's global scope. */
export interface DedicatedScope {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  onunhandledrejection: ((event: PromiseRejectionEvent) => void) | null;
}

/** Serves the page. */
export function serve(scope: DedicatedScope, glue: WorkerGlue): void {
  // Uncaught errors reach the owner by themselves; rejections do not.
  scope.onunhandledrejection = (event) => {
    event.preventDefault();
    const message = uncaught(event.reason);
    scope.postMessage({ type: "halted", error: { code: "WORKER_FAILED", message } });
  };
  const receive = runWorker({ glue, post: (message) => scope.postMessage(message) });
  scope.onmessage = (event) => receive(event.data);
}

export function uncaught(what: unknown): string {
  return `an error was not caught: ${String(what)}`;
}
