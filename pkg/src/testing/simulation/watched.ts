/** A machine as the core drives it, bytes in and bytes out, that sees of the world what it is to see. */

import { Adapter } from "../../machine/adapter.js";
import { messageOf } from "../../machine/codec.js";
import type { Chance } from "./chance.js";
import type { Maker } from "./source.js";
import type { Surroundings } from "./surroundings.js";

/** What a machine sees of the world around it, and must not look at. */
export interface Sight {
  readonly surroundings: Surroundings;
  /** The node's wall clock, in milliseconds. */
  readonly wall: () => number;
  readonly chance: Chance;
}

/** The core's numbers for what it asks. */
export const APPLY = 0;
export const QUERY = 1;
export const SNAPSHOT = 2;
export const RESTORE = 3;
export const TICK = 4;
const METHODS = ["apply", "query", "snapshot", "restore", "tick"];

export class Watched {
  readonly #adapter: Adapter;
  readonly #sight: Sight;
  /** What the engine said of a mistake in the last call, where there was one. */
  said: string | undefined;

  /** Throws what the machine's constructor and `dueAt` throw. */
  constructor(make: Maker, sight: Sight) {
    this.#sight = sight;
    const made = () => this.#during("constructor", make);
    const first = made();
    this.#adapter = this.#during(
      "dueAt",
      () =>
        new Adapter(first, made, (_, error) => {
          this.said = messageOf(error);
        }),
    );
  }

  get due(): number {
    return this.#adapter.due;
  }

  get failure(): { readonly code: string; readonly message: string } | undefined {
    return this.#adapter.failure;
  }

  /** As `Adapter.call`. */
  ask(what: number, bytes: Uint8Array, index = 0, term = 0, timeMs = 0): Uint8Array {
    this.said = undefined;
    const work = () => this.#adapter.call(what, bytes, index, term, timeMs);
    return this.#during(METHODS[what] ?? "", work);
  }

  /** The state as of now. */
  state(): Uint8Array {
    return this.ask(SNAPSHOT, new Uint8Array(0));
  }

  #during<T>(method: string, work: () => T): T {
    const { surroundings, wall, chance } = this.#sight;
    return surroundings.during(method, wall, () => chance.next(), work);
  }
}
