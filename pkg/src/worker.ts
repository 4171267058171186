/** The worker of a node in a browser. */

import { serveOwners } from "./hub.js";
import type { FromWorker, ToWorker } from "./protocol.js";
import { runWorker } from "./worker-main.js";

/** What is used of a dedicated worker's global scope, and of a shared one's. */
interface Scope {
  onconnect?: ((event: MessageEvent) => void) | null;
  close(): void;
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  onunhandledrejection: ((event: PromiseRejectionEvent) => void) | null;
}

const scope = globalThis as unknown as Scope;

if ("onconnect" in scope) share();
else serve();

/** In a shared worker, for all pages that connect. */
function share(): void {
  const { join, fail } = serveOwners(() => scope.close());
  // No page hears of what is not caught here.
  scope.onerror = ({ message }) => fail(uncaught(message));
  scope.onunhandledrejection = ({ reason }) => fail(uncaught(reason));
  scope.onconnect = ({ ports: [port] }) => {
    if (port !== undefined) join(port);
  };
}

/** In a worker of its own, for the page that made it. */
function serve(): void {
  // Uncaught errors reach the owner by themselves; rejections do not.
  scope.onunhandledrejection = (event) => {
    event.preventDefault();
    const message = uncaught(event.reason);
    scope.postMessage({ type: "halted", error: { code: "WORKER_FAILED", message } });
  };

  const receive = runWorker({ post: (message) => scope.postMessage(message) });
  scope.onmessage = (event) => receive(event.data);
}

function uncaught(what: unknown): string {
  return `an error was not caught: ${String(what)}`;
}
