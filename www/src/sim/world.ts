/** A world in a worker: what its owner orders, and how it is done. One thing after the other. */

import type { Act, Chunk, Failure, PlacedAct, Spec } from "./chunk.js";
import type { SimModule, Stage } from "./module.js";

/** What can be ordered. */
export type Order =
  /** Makes a world and puts the acts where they belong. It stands at the last of them. */
  | { readonly do: "open"; readonly spec: Spec; readonly acts: readonly PlacedAct[] }
  /** Lets it go on, not beyond a time (virtual microseconds). */
  | { readonly do: "advance"; readonly events: number; readonly until: number }
  /** Does something after event `after`; what the world has lived beyond that is undone. */
  | { readonly do: "act"; readonly act: Act; readonly after: number }
  | { readonly do: "judge" }
  /** The names of what is checked, and of the bugs that there are. */
  | { readonly do: "names" };

export interface Names {
  readonly properties: readonly string[];
  readonly bugs: readonly string[];
}

/** What each comes to. */
export interface Answers {
  readonly open: readonly Chunk[];
  readonly advance: readonly Chunk[];
  readonly act: readonly Chunk[];
  readonly judge: Failure | null;
  readonly names: Names;
}

/** The simulator's module did not come, or may not run. */
export class NotLoaded extends Error {}

/** So many events are told of at a time. */
export const EVENTS_PER_CHUNK = 2_000;

export class World {
  readonly #load: (planted: boolean) => Promise<SimModule>;
  #module: SimModule | undefined;
  #isPlanted = false;
  #spec: Spec | undefined;
  #acts: readonly PlacedAct[] = [];
  #stage: Stage | undefined;
  /** Events that the stage has lived. */
  #count = 0;

  constructor(load: (planted: boolean) => Promise<SimModule>) {
    this.#load = load;
  }

  async perform<O extends Order>(order: O): Promise<Answers[O["do"]]>;
  async perform(order: Order): Promise<Answers[Order["do"]]> {
    switch (order.do) {
      case "open":
        return this.#open(order.spec, order.acts);
      case "advance":
        return [this.#tell(this.#running.advance(order.events, order.until))];
      case "act":
        return [this.#act(order.act, order.after)];
      case "judge":
        return this.#running.judge();
      case "names":
        return {
          properties: this.#loaded.properties(this.#spec?.world ?? "scene"),
          bugs: this.#loaded.bugs(),
        };
    }
  }

  async #open(spec: Spec, acts: readonly PlacedAct[]): Promise<readonly Chunk[]> {
    const isPlanted = spec.bug !== null;
    if (this.#module === undefined || isPlanted !== this.#isPlanted) {
      this.#close();
      this.#module = await this.#load(isPlanted).catch((error: unknown) => {
        throw new NotLoaded(error instanceof Error ? error.message : String(error));
      });
      this.#isPlanted = isPlanted;
    }
    this.#spec = spec;
    this.#acts = [];
    this.#begin();
    const chunks: Chunk[] = [];
    for (const { after, act } of acts) {
      while (this.#count < after) {
        const events = Math.min(after - this.#count, EVENTS_PER_CHUNK);
        const before = this.#count;
        chunks.push(this.#tell(this.#running.advance(events, Number.MAX_SAFE_INTEGER)));
        // It has ended, or failed: this is not the world that the acts were made for.
        if (this.#count === before) return chunks;
      }
      chunks.push(this.#tell(this.#running.act(act)));
      this.#acts = [...this.#acts, { after, act }];
    }
    return chunks;
  }

  #act(act: Act, after: number): Chunk {
    const [acts, count] = [this.#acts, this.#count];
    if (after !== count) this.#live(acts, after);
    try {
      const chunk = this.#tell(this.#running.act(act));
      this.#acts = [...this.#acts, { after, act }];
      return chunk;
    } catch (error) {
      // Refused: it goes on from where it was.
      if (after !== count) this.#live(acts, count);
      throw error;
    }
  }

  /** Lives the world once more up to an event, with those of the acts that come before. */
  #live(acts: readonly PlacedAct[], event: number): void {
    this.#begin();
    this.#acts = acts.filter(({ after }) => after < event);
    for (const { after, act } of this.#acts) {
      this.#running.skip(after - this.#count);
      this.#running.act(act);
      this.#count = after + 1;
    }
    this.#running.skip(event - this.#count);
    this.#count = event;
  }

  #begin(): void {
    if (this.#spec === undefined) throw new Error("no world is open");
    this.#close();
    this.#stage = new this.#loaded.Stage(this.#spec);
    this.#count = 0;
  }

  #close(): void {
    this.#stage?.free();
    this.#stage = undefined;
  }

  #tell(chunk: Chunk): Chunk {
    this.#count = chunk.count;
    return chunk;
  }

  get #loaded(): SimModule {
    if (this.#module === undefined) throw new Error("no world is open");
    return this.#module;
  }

  get #running(): Stage {
    if (this.#stage === undefined) throw new Error("no world is open");
    return this.#stage;
  }
}
