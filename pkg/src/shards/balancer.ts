/** Balance by load: looks at what the shards had to do since it last looked, and moves one at a time. */

import type { Rebalance } from "./options.js";
import type { HostGroups } from "./picture.js";
import { best } from "./rebalance.js";
import type { Configuration } from "./types.js";

interface Parts {
  groups(): Promise<HostGroups>;
  configuration(): Configuration;
  /** Resolves when it is done. */
  move(shard: number, group: number): Promise<void>;
}

export class Balancer {
  readonly #settings: Rebalance;
  readonly #parts: Parts;
  /** By node, group and shard: the calls there when it last looked. */
  #before = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(settings: Rebalance, parts: Parts) {
    this.#settings = settings;
    this.#parts = parts;
    void this.#run();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    try {
      await this.#once();
    } catch {
      // Nodes that do not answer, or a move that takes long: there is a next time.
    }
    if (!this.#closed) this.#timer = setTimeout(() => void this.#run(), this.#settings.intervalMs);
  }

  async #once(): Promise<void> {
    const { intervalMs, gain, minRate } = this.#settings;
    const configuration = this.#parts.configuration();
    const loads = this.#loads(await this.#parts.groups(), configuration.shards.length);
    const all = loads.reduce((sum, load) => sum + load, 0);
    if (all < (minRate * intervalMs) / 1_000) return;
    const move = best(configuration, loads, gain);
    if (move !== undefined) await this.#parts.move(move.shard, move.to);
  }

  /** The calls of each shard since it last looked, on all nodes; each node counts for itself from its start on. */
  #loads(all: HostGroups, shards: number): readonly number[] {
    const loads = new Array<number>(shards).fill(0);
    const now = new Map<string, number>();
    for (const { node, groups } of all) {
      for (const { group, role, shards: places = [] } of groups) {
        for (const { shard, calls } of places) {
          const place = `${node} ${group} ${shard}`;
          now.set(place, calls);
          const before = this.#before.get(place);
          // Only leaders answer reads, and all apply each write: a leader's count is the load.
          if (role === "leader" && before !== undefined && calls >= before)
            loads[shard] = (loads[shard] ?? 0) + calls - before;
        }
      }
    }
    this.#before = now;
    return loads;
  }
}
