/** The simulated network: frames from address to address. Nodes have their ids, clients have theirs below zero. */

import type { Chance } from "./chance.js";
import type { Queue } from "./queue.js";

/** Whether nothing passes from one address to the other. */
export type Cut = (from: number, to: number) => boolean;

/** How links behave. Times in microseconds. */
export interface Link {
  readonly delayMean: number;
  readonly loss: number;
  readonly twice: number;
  /** Of those that come twice or late: up to this much later. */
  readonly late: number;
}

export const FAIR_LINK: Link = { delayMean: 500, loss: 0, twice: 0, late: 0 };

const DELAY_LEAST = 100;

export class Network {
  link: Link;
  /** Messages that were lost, came twice, or late. */
  mishaps = 0;
  readonly #cuts = new Set<Cut>();
  /** What is held, until when. */
  readonly #clogs = new Map<number, number>();
  readonly #queue: Queue;
  readonly #chance: Chance;
  /** When the last frame of a client's link arrives. */
  readonly #last = new Map<string, number>();
  readonly #arrive: (from: number, to: number, frame: Uint8Array) => void;

  constructor(
    link: Link,
    queue: Queue,
    chance: Chance,
    arrive: (from: number, to: number, frame: Uint8Array) => void,
  ) {
    this.link = link;
    this.#queue = queue;
    this.#chance = chance;
    this.#arrive = arrive;
  }

  send(from: number, to: number, frame: Uint8Array): void {
    const { loss, twice, late, delayMean } = this.link;
    if (this.#isCut(from, to)) return;
    if (this.#chance.happens(loss)) {
      this.mishaps += 1;
      return;
    }
    const delay = DELAY_LEAST + this.#chance.exponential(delayMean);
    const held = Math.max(this.#clogs.get(from) ?? 0, this.#clogs.get(to) ?? 0);
    const at = Math.max(this.#queue.now + delay, held);
    if (from < 0 || to < 0) {
      this.#inOrder(at, from, to, frame);
      return;
    }
    this.#deliver(at, from, to, frame);
    if (this.#chance.happens(twice)) {
      this.mishaps += 1;
      const again = delay + this.#chance.below(late + 1);
      this.#deliver(this.#queue.now + again, from, to, frame.slice());
    }
  }

  /** To clients and from them, as over a port: nothing twice, nothing before what was sent earlier. A refusal is the last word. */
  #inOrder(at: number, from: number, to: number, frame: Uint8Array): void {
    const link = `${from}/${to}`;
    const next = Math.max(at, this.#last.get(link) ?? 0);
    this.#last.set(link, next);
    this.#deliver(next, from, to, frame);
  }

  /** A cut is in force until what this returns is called. */
  cut(cut: Cut): () => void {
    this.#cuts.add(cut);
    return () => void this.#cuts.delete(cut);
  }

  /** What comes to an address or from it waits until then. */
  clog(address: number, until: number): void {
    this.#clogs.set(address, until);
  }

  heal(): void {
    this.#cuts.clear();
    this.#clogs.clear();
    this.link = FAIR_LINK;
  }

  #deliver(at: number, from: number, to: number, frame: Uint8Array): void {
    this.#queue.at(at, () => {
      if (!this.#isCut(from, to)) this.#arrive(from, to, frame);
    });
  }

  #isCut(from: number, to: number): boolean {
    for (const cut of this.#cuts) if (cut(from, to)) return true;
    return false;
  }
}
