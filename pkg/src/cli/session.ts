/** What stays between the commands of a prompt. */

import type { Lock } from "../recipes/types.js";
import type { Cluster } from "../types.js";

export interface Session {
  readonly cluster: Cluster;
  /** Held, by their names. */
  readonly locks: Map<string, Lock>;
  /** Each ends one that goes on. */
  readonly watches: Set<AbortController>;
}
