/** Who stages a lesson: lets a world live until something is seen, does something to it, and notes what is to be said when. */

import type { Board } from "../sim/board.js";
import type { Act, Spec } from "../sim/chunk.js";
import type { Film, Moment } from "../sim/film.js";
import { BEGINNING } from "../sim/film.js";
import type { Theatre } from "../sim/theatre.js";
import type { Picture } from "../stage/picture.js";

/** Something that is said at a moment. */
export interface Beat {
  readonly moment: Moment;
  /** The name of the text, in the lesson's words. */
  readonly says: string;
}

/** What is looked for in a picture, and in what stands beside the nodes. */
export type Sight = (picture: Picture, board: Board | null) => boolean;

/** What a lesson waits for comes within so many virtual microseconds, or the lesson is wrong. */
const PATIENCE = 30_000_000;
/** How much is lived at a time while something is looked for. */
const STRIDE = 200_000;
/** How long the calls of a lesson's clients may take, in milliseconds. */
const TIMEOUT = 20_000;

type Op = Extract<Act, { do: "call" }>["op"];

export class Director {
  readonly #theatre: Theatre;
  #now: Moment = BEGINNING;
  readonly #beats: Beat[] = [];

  constructor(theatre: Theatre) {
    this.#theatre = theatre;
  }

  /** Begins a world. */
  async open(spec: Spec): Promise<void> {
    await this.#theatre.open(spec);
    this.#now = BEGINNING;
    this.#beats.length = 0;
  }

  get beats(): readonly Beat[] {
    return this.#beats;
  }

  get now(): Moment {
    return this.#now;
  }

  get picture(): Picture {
    return this.film.picture(this.#now);
  }

  get board(): Board | null {
    return this.film.board(this.#now.event);
  }

  get film(): Film {
    return this.#theatre.film;
  }

  /** The id of the leader of the latest term; a lesson asks only when there is one. */
  get leader(): number {
    const leaders = this.picture.nodes.filter(
      ({ role, state }) => role === "leader" && state === "running",
    );
    const [latest] = leaders.sort((a, b) => b.term - a.term);
    if (latest === undefined) throw new Error("nobody leads");
    return latest.id;
  }

  /** The ids of the other nodes. */
  others(...but: readonly number[]): number[] {
    return this.picture.nodes.map(({ id }) => id).filter((id) => !but.includes(id));
  }

  /** Goes on until something is seen. */
  async until(sight: Sight): Promise<void> {
    const end = this.#now.at + PATIENCE;
    while (!sight(this.picture, this.board)) {
      const next = this.film.next(this.#now);
      if (next !== null) this.#now = next;
      else if (!(await this.#live(this.film.end.at + STRIDE)))
        throw new Error("this world stands still");
      if (this.#now.at > end) throw new Error(`nobody saw it: ${sight}`);
    }
  }

  /** Goes on for so many milliseconds. */
  async pass(ms: number): Promise<void> {
    const at = this.#now.at + ms * 1_000;
    await this.#live(at);
    const { event } = this.film.momentAt(at);
    this.#now = { event: Math.max(event, this.#now.event), at };
  }

  /** From here on this is said, until something else is. */
  say(says: string): void {
    this.#beats.push({ moment: this.#now, says });
  }

  /** Goes back to where something was said. */
  back(says: string): void {
    const beat = this.#beats.find((beat) => beat.says === says);
    if (beat === undefined) throw new Error(`nobody said ${says}`);
    this.#now = beat.moment;
  }

  async act(act: Act): Promise<void> {
    await this.#theatre.act(act, this.#now.event);
    const event = this.#now.event + 1;
    this.#now = { event, at: Math.max(this.film.momentOf(event).at, this.#now.at) };
  }

  async crash(...ids: readonly number[]): Promise<void> {
    for (const node of ids) await this.act({ do: "crash", node });
  }

  async start(...ids: readonly number[]): Promise<void> {
    for (const node of ids) await this.act({ do: "start", node });
  }

  async timeout(...ids: readonly number[]): Promise<void> {
    for (const node of ids) await this.act({ do: "timeout", node });
  }

  /** Nothing passes between these nodes and the others. */
  async part(...ids: readonly number[]): Promise<void> {
    for (const from of ids) {
      for (const to of this.others(...ids)) {
        await this.act({ do: "cut", from, to });
        await this.act({ do: "cut", from: to, to: from });
      }
    }
  }

  async slow(from: number, to: number, ms: number): Promise<void> {
    await this.act({ do: "slow", from, to, ms });
  }

  async heal(): Promise<void> {
    await this.act({ do: "heal" });
  }

  /** A client asks for something. */
  async ask(client: number, op: Op, key: string, value?: string): Promise<void> {
    const call = { do: "call", client, op, key, timeout: TIMEOUT } as const;
    await this.act(value === undefined ? call : { ...call, value });
  }

  /** Whether there was anything to live. */
  async #live(until: number): Promise<boolean> {
    const begin = this.film.end;
    for (let before: Moment | undefined; before !== this.film.end && this.film.end.at < until; ) {
      before = this.film.end;
      await this.#theatre.live(until);
      const { end } = this.film;
      if (end.event === before.event && end.at === before.at) break;
    }
    return this.film.end.at > begin.at || this.film.end.event > begin.event;
  }
}
