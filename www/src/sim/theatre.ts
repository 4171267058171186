/** A world in a worker, and its film here. */

import type { Act, Failure, PlacedAct, Spec } from "./chunk.js";
import { Film, MAX_ROWS } from "./film.js";
import { type Answers, EVENTS_PER_CHUNK, type Names, NotLoaded, type Order } from "./world.js";

/** The world cannot do what was asked; the message is a sentence for the visitor. */
export class Refused extends Error {}

/** What of a worker is used. */
export type WorldWorker = Pick<Worker, "postMessage" | "terminate" | "addEventListener">;

type Answer = { number: number } & ({ answer: unknown } | { problem: string; isLoaded: boolean });

export class Theatre {
  readonly #worker: WorldWorker;
  readonly #changed: () => void;
  readonly #open = new Map<number, { resolve(answer: never): void; reject(error: Error): void }>();
  #number = 0;
  #film = new Film();
  #spec: Spec | undefined;
  #acts: readonly PlacedAct[] = [];
  #advancing = false;

  /** `changed` is called whenever the film is another one. */
  constructor(worker: WorldWorker, changed: () => void) {
    this.#worker = worker;
    this.#changed = changed;
    worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
      const call = this.#open.get(data.number);
      this.#open.delete(data.number);
      if ("problem" in data)
        call?.reject(data.isLoaded ? new Refused(data.problem) : new NotLoaded(data.problem));
      else call?.resolve(data.answer as never);
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      for (const { reject } of this.#open.values()) reject(new NotLoaded(event.message));
      this.#open.clear();
    });
  }

  /** All that happened; the same object until another world is opened. */
  get film(): Film {
    return this.#film;
  }

  get spec(): Spec | undefined {
    return this.#spec;
  }

  /** What was done to the world. */
  get acts(): readonly PlacedAct[] {
    return this.#acts;
  }

  /** Begins another world, and lives it up to its last act and to event `at`. */
  async open(spec: Spec, acts: readonly PlacedAct[] = [], at = 0): Promise<void> {
    const chunks = await this.#order({ do: "open", spec, acts });
    const film = new Film();
    for (const chunk of chunks) film.append(chunk);
    [this.#film, this.#spec, this.#acts] = [film, spec, acts];
    for (let before = -1; before < film.end.event && film.end.event < at && this.#canAdvance; ) {
      before = film.end.event;
      await this.#advance(at - before);
    }
    this.#changed();
  }

  /** Wants the film to go on until a time (virtual microseconds). What is there comes at once, the rest when it comes. */
  reach(until: number): void {
    if (this.#advancing || until <= this.#film.end.at || !this.#canAdvance) return;
    this.#advancing = true;
    this.#advance(EVENTS_PER_CHUNK, until)
      .then(this.#changed)
      .finally(() => {
        this.#advancing = false;
      });
  }

  /** Lets the film go on until a time, or a part of the way. */
  async live(until: number): Promise<void> {
    if (this.#canAdvance) await this.#advance(EVENTS_PER_CHUNK, until);
  }

  /** Does something after an event; another future begins there. Throws `Refused`. */
  async act(act: Act, after: number): Promise<void> {
    const [film, acts] = [this.#film, this.#acts];
    const chunks = await this.#order({ do: "act", act, after });
    if (film !== this.#film) return;
    film.cut(after);
    for (const chunk of chunks) film.append(chunk);
    this.#acts = [...acts.filter((other) => other.after < after), { after, act }];
    this.#changed();
  }

  /** Checks what clients saw until the film's end. */
  judge(): Promise<Failure | null> {
    return this.#order({ do: "judge" });
  }

  /** What is checked in this world, and which bugs its module has. */
  names(): Promise<Names> {
    return this.#order({ do: "names" });
  }

  close(): void {
    this.#worker.terminate();
  }

  get #canAdvance(): boolean {
    const { failure, ended, isFull } = this.#film;
    return this.#spec !== undefined && failure === null && !ended && !isFull;
  }

  async #advance(events: number, until = Number.MAX_SAFE_INTEGER): Promise<void> {
    const film = this.#film;
    const most = Math.min(events, EVENTS_PER_CHUNK, MAX_ROWS);
    const chunks = await this.#order({ do: "advance", events: most, until });
    if (film !== this.#film) return;
    for (const chunk of chunks) film.append(chunk);
  }

  #order<O extends Order>(order: O): Promise<Answers[O["do"]]> {
    return new Promise((resolve, reject) => {
      this.#number += 1;
      this.#open.set(this.#number, { resolve, reject });
      this.#worker.postMessage({ number: this.#number, order });
    });
  }
}
