/** Where a node that outlives its tab lives. */

import { Broadcast } from "./broadcast-channel.js";
import type { Transport } from "./transport.js";

/**
 * The node lives in a `SharedWorker`, one for all tabs that ask for it, and goes on while any of them is open, frozen or not.
 * It reaches the nodes of tabs as `broadcastChannel()` does.
 */
export function sharedWorker(): Transport {
  return new Shared();
}

/** The class tells it from others. */
export class Shared extends Broadcast {}
