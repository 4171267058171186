/** The exports of the simulator's modules (`crate/sim-wasm`), of which a worker loads one: the plain one, or the one with planted bugs. */

import type { Act, Chunk, Failure, HuntResult, Spec } from "./chunk.js";

/** A world under way. */
export interface Stage {
  /**
   * Goes on by at most `events` events, and not beyond `until` (virtual microseconds): what happened. A world that failed or ended
   * does not move.
   */
  advance(events: number, until: number): Chunk;
  /** The same without telling: for getting to a moment again. */
  skip(events: number): void;
  /** Does something between two events: what came of it at once. Throws an `Error` with a sentence where it cannot be done. */
  act(act: Act): Chunk;
  /** Checks what clients saw so far: null if one order explains it. */
  judge(): Failure | null;
  free(): void;
}

export interface SimModule {
  /** Instantiates the WebAssembly. */
  default(options: {
    module_or_path: URL | Response | BufferSource | WebAssembly.Module;
  }): Promise<unknown>;
  /** Throws an `Error` with a sentence where the spec is none. */
  readonly Stage: new (
    spec: Spec,
  ) => Stage;
  /** Lives one world of a campaign to its end. `torment` in milliseconds. */
  hunt(seed: number, torment: number, bug: string | null): HuntResult;
  /** The names of all properties that are checked in worlds of this kind. */
  properties(world: Spec["world"]): readonly string[];
  /** The names of the bugs that this module has; none in the plain one. */
  bugs(): readonly string[];
}
