/** The worker of a node in a browser. */

import { Host, initSync, setPanicHandler } from "../wasm/quorate_wasm.js";
import { type DedicatedScope, serve, uncaught } from "./dedicated.js";
import { serveOwners } from "./hub.js";

/** What is used of a dedicated worker's global scope, and of a shared one's. */
interface Scope extends DedicatedScope {
  onconnect?: ((event: MessageEvent) => void) | null;
  close(): void;
  onerror: ((event: ErrorEvent) => void) | null;
}

const scope = globalThis as unknown as Scope;
const glue = { Host, initSync, setPanicHandler };

if ("onconnect" in scope) share();
else serve(scope, glue);

/** In a shared worker, for all pages that connect. */
function share(): void {
  const { join, fail } = serveOwners(glue, () => scope.close());
  // No page hears of what is not caught here.
  scope.onerror = ({ message }) => fail(uncaught(message));
  scope.onunhandledrejection = ({ reason }) => fail(uncaught(reason));
  scope.onconnect = ({ ports: [port] }) => {
    if (port !== undefined) join(port);
  };
}
