/**
 * What a node does as measures of the User Timing API, for a profiler: Chrome's Performance panel has a track for each
 * node. The timeline keeps none of them: a measure that was told is forgotten at once.
 */

import { now } from "../clock.js";
import type { Role } from "../types.js";

/** Of those that the panel knows. */
type Color = "primary" | "secondary" | "tertiary" | "tertiary-dark" | "error";

export class Tracer {
  readonly #track: { readonly track: string; readonly trackGroup: string };
  /** When the node ceased to know a leader. */
  #leaderless: number | undefined;

  constructor(cluster: string, node: number) {
    this.#track = { track: `node ${node}`, trackGroup: `Quorate ${cluster}` };
  }

  /** From when the worker began to exist to when its node runs. */
  started(): void {
    this.#measure("start", 0, now(), "tertiary", {});
  }

  /** An election: from the loss of the leader, or the first campaign, to the next one. */
  role(role: Role, term: number, leader: number | null): void {
    const time = now();
    if (leader === null) {
      this.#leaderless ??= time;
      return;
    }
    if (this.#leaderless === undefined) return;
    this.#measure("election", this.#leaderless, time, "error", { leader, term, role });
    this.#leaderless = undefined;
  }

  /** Entries of this leader, from when they were proposed to when they were committed. */
  committed(start: number, end: number, from: number, upTo: number): void {
    this.#measure("commit", start, end, "primary", { entries: upTo - from, upTo });
  }

  written(start: number, end: number): void {
    this.#measure("persist", start, end, "secondary", {});
  }

  /** A snapshot, from its first part that was written to where all of it is durable. */
  snapshot(start: number, end: number, index: number): void {
    this.#measure("snapshot", start, end, "tertiary-dark", { upTo: index });
  }

  /** A leader's snapshot is in place. */
  restored(index: number): void {
    const time = now();
    this.#measure("restore", time, time, "tertiary-dark", { upTo: index });
  }

  #measure(
    what: string,
    start: number,
    end: number,
    color: Color,
    facts: Readonly<Record<string, string | number>>,
  ): void {
    const name = `quorate ${what}`;
    const properties = Object.entries(facts).map(([fact, value]) => [fact, String(value)]);
    const devtools = { dataType: "track-entry", ...this.#track, color, properties };
    performance.measure(name, { start, end: Math.max(start, end), detail: { devtools } });
    performance.clearMeasures(name);
  }
}
