/** Clusters that can be found by their names, and who waits for one. */

import type { AnyCluster } from "../types.js";

export class Provided {
  readonly #clusters = new Map<string, AnyCluster>();
  readonly #listeners = new Set<() => void>();

  add(cluster: AnyCluster): () => void {
    this.#clusters.set(cluster.name, cluster);
    this.#tell();
    return () => {
      if (this.#clusters.get(cluster.name) === cluster) this.#clusters.delete(cluster.name);
      this.#tell();
    };
  }

  find(name: string | null): AnyCluster | null {
    return (name === null ? undefined : this.#clusters.get(name)) ?? null;
  }

  /** Calls `hear` whenever another answer is possible; what it returns ends that. */
  listen(hear: () => void): () => void {
    this.#listeners.add(hear);
    return () => void this.#listeners.delete(hear);
  }

  #tell(): void {
    for (const hear of this.#listeners) hear();
  }
}
