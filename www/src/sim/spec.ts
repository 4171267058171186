/** The worlds that one begins with. */

import type { Spec } from "./chunk.js";

/** Five nodes and three clients at a network that is slow enough to be watched. */
export const DEFAULT_SPEC: Spec = {
  seed: 1,
  world: "scene",
  torment: 10_000,
  nodes: 5,
  clients: 2,
  think: 400,
  election: 300,
  heartbeat: 100,
  delay: 10,
  loss: 0,
  disk: 3,
  snapshotEntries: 1_000,
  faults: 0,
  reads: "leader",
  bug: null,
};
