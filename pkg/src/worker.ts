/** The worker of a node in a browser. */

import type { FromWorker, ToWorker } from "./protocol.js";
import { runWorker } from "./worker-main.js";

/** What is used of a dedicated worker's global scope. */
interface Scope {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  onunhandledrejection: ((event: PromiseRejectionEvent) => void) | null;
}

const scope = globalThis as unknown as Scope;

// Uncaught errors reach the owner by themselves; rejections do not.
scope.onunhandledrejection = (event) => {
  event.preventDefault();
  const message = `an error was not caught: ${String(event.reason)}`;
  scope.postMessage({ type: "halted", error: { code: "WORKER_FAILED", message } });
};

const receive = runWorker({ post: (message) => scope.postMessage(message) });
scope.onmessage = (event) => receive(event.data);
