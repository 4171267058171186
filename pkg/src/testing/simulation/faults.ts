/** Who breaks things: faults that begin at random times, and end after a while. */

import type { Chance } from "./chance.js";
import { FAIR_LINK, type Network } from "./network.js";
import type { Process } from "./process.js";
import type { Queue } from "./queue.js";
import type { Fault } from "./types.js";

export const FAULTS: readonly Fault[] = [
  "crashes",
  "pauses",
  "partitions",
  "messages",
  "clocks",
  "disks",
  "losses",
];

const SECOND = 1_000_000;
/** A fault lasts about a second, and at most so long. */
const LASTS_MAX = 4 * SECOND;

/** What faults are done to. */
export interface Victims {
  readonly queue: Queue;
  readonly network: Network;
  readonly processes: readonly Process[];
  /** Clients have addresses below zero. */
  readonly clients: number;
  /** Whether all nodes have their votes, with the storages that they have now. */
  isWhole(): boolean;
  /** A node is about to lose its storage. */
  loses(process: Process): void;
  note(what: number, value: number): void;
}

const FAULT_BEGAN = 3;

export class Faults {
  readonly counts: Record<Fault, number> = {
    crashes: 0,
    pauses: 0,
    partitions: 0,
    messages: 0,
    clocks: 0,
    disks: 0,
    losses: 0,
  };
  #stopped = false;
  readonly #mean: number;
  /** What ends a fault that is under way. */
  readonly #ends = new Set<() => void>();

  readonly kinds: readonly Fault[];
  readonly victims: Victims;
  readonly chance: Chance;

  constructor(kinds: readonly Fault[], victims: Victims, chance: Chance) {
    this.kinds = kinds;
    this.victims = victims;
    this.chance = chance;
    this.#mean = chance.pick([SECOND / 5, SECOND / 2, SECOND]);
  }

  /** Faults come from now on. */
  begin(): void {
    if (this.kinds.length === 0) return;
    this.victims.queue.after(this.chance.exponential(this.#mean), () => {
      if (this.#stopped) return;
      const kind = this.chance.pick(this.kinds);
      this.victims.note(FAULT_BEGAN, FAULTS.indexOf(kind));
      if (this.#break(kind)) this.counts[kind] += 1;
      this.begin();
    });
  }

  /** Ends all, and leaves a fair world in which every node runs. */
  stop(): void {
    this.#stopped = true;
    for (const end of [...this.#ends]) end();
    this.victims.network.heal();
    for (const process of this.victims.processes) {
      process.disk.mean = FAIR_DISK_MEAN;
      process.disk.failing = false;
      process.crashAfter = Number.POSITIVE_INFINITY;
      process.drift(1);
      process.start();
    }
  }

  /** Whether it could be done. */
  #break(kind: Fault): boolean {
    const { chance } = this;
    const node = chance.pick(this.victims.processes);
    const leader = this.victims.processes.findLast((process) => process.role === "leader") ?? node;
    const one = chance.happens(0.5) ? leader : node;
    const lasts = chance.between(1_000, 100_000) + Math.min(chance.exponential(SECOND), LASTS_MAX);
    switch (kind) {
      case "crashes":
        return this.#crash(node, leader, one, lasts);
      case "pauses":
        return this.#pause(one, lasts);
      case "partitions":
        return this.#part(one, lasts);
      case "messages":
        return this.#messages(one, lasts);
      case "clocks":
        return this.#clock(node, lasts);
      case "disks":
        return this.#disk(one, lasts);
      case "losses":
        return this.#lose(one, lasts);
    }
  }

  #crash(node: Process, leader: Process, one: Process, lasts: number): boolean {
    const { chance } = this;
    const { processes } = this.victims;
    const some = () =>
      chance.shuffled(processes).slice(0, Math.max(1, Math.floor((processes.length - 1) / 2)));
    switch (chance.below(6)) {
      case 0:
        return this.#down([leader], lasts);
      case 1:
        return this.#down(some(), lasts);
      case 2:
        return this.#down(processes, lasts);
      case 3:
        // Between two effects of one step.
        one.crashAfter = chance.below(8);
        this.#until(lasts, () => {
          one.crashAfter = Number.POSITIVE_INFINITY;
          one.start();
        });
        return one.runs;
      case 4: {
        // Again and again; it gets a little further each time.
        let pause = 0;
        for (let times = chance.between(2, 5); times > 0; times--) {
          pause += chance.below(60_000);
          this.#later(pause, () => node.start());
          pause += chance.below(60_000);
          this.#later(pause, () => node.crash());
        }
        return this.#down([node], pause + 1);
      }
      default:
        return this.#down([node], lasts);
    }
  }

  #down(processes: readonly Process[], lasts: number): boolean {
    for (const process of processes) process.crash();
    this.#until(lasts, () => {
      for (const process of processes) process.start();
    });
    return true;
  }

  #pause(one: Process, lasts: number): boolean {
    if (!one.runs || one.paused) return false;
    // Some freeze with their clocks, and find out when they go on.
    this.#until(lasts, one.pause(this.chance.happens(0.5)));
    return true;
  }

  #part(one: Process, lasts: number): boolean {
    const { chance } = this;
    const { network, processes } = this.victims;
    const all = processes.map(({ id }) => id);
    const [alone, side] = [one.id, new Set(all.filter(() => chance.happens(0.5)))];
    const deaf = new Set(
      all.flatMap((a) => all.map((b) => `${a} ${b}`)).filter(() => chance.happens(0.3)),
    );
    const cut = chance.pick([
      // From everyone, clients too; and from the other nodes alone.
      (from: number, to: number) => from === alone || to === alone,
      (from: number, to: number) => from > 0 && to > 0 && (from === alone || to === alone),
      // Two halves; some links, in one direction.
      (from: number, to: number) => from > 0 && to > 0 && side.has(from) !== side.has(to),
      (from: number, to: number) => deaf.has(`${from} ${to}`),
    ]);
    this.#until(lasts, network.cut(cut));
    return processes.length > 1;
  }

  #messages(one: Process, lasts: number): boolean {
    const { network, queue } = this.victims;
    if (this.chance.happens(0.5)) {
      network.clog(one.id, queue.now + lasts);
    } else {
      // What it did is done, and nobody hears of it.
      this.#until(
        lasts,
        network.cut((from, to) => from === one.id && to < 0),
      );
    }
    return true;
  }

  #clock(node: Process, lasts: number): boolean {
    if (this.chance.happens(0.3)) {
      node.jump(this.chance.below(10 * SECOND));
    } else {
      node.drift(0.5 + this.chance.next());
      this.#until(lasts, () => node.drift(1));
    }
    return node.runs;
  }

  #disk(one: Process, lasts: number): boolean {
    const { chance } = this;
    switch (chance.below(3)) {
      case 0:
        one.disk.stall = SECOND + chance.below(4 * SECOND);
        break;
      case 1:
        one.disk.mean = SECOND / 5;
        this.#until(lasts, () => {
          one.disk.mean = FAIR_DISK_MEAN;
        });
        break;
      default:
        one.disk.failing = true;
        this.#until(lasts, () => {
          one.disk.failing = false;
          one.start();
        });
    }
    return one.runs;
  }

  #lose(one: Process, lasts: number): boolean {
    if (this.victims.processes.length < 3 || !this.victims.isWhole()) return false;
    this.victims.loses(one);
    one.lose();
    this.#until(lasts, () => one.start());
    return true;
  }

  /** `end` comes after so long, or when all faults end. */
  #until(lasts: number, end: () => void): void {
    const once = () => {
      if (this.#ends.delete(once)) end();
    };
    this.#ends.add(once);
    this.victims.queue.after(lasts, once);
  }

  #later(pause: number, work: () => void): void {
    this.victims.queue.after(pause, () => void (!this.#stopped && work()));
  }
}

/** The links of a world in which messages are to suffer. */
export function drawLink(kinds: readonly Fault[], chance: Chance) {
  const link = {
    delayMean: chance.pick([200, 1_000, 5_000, 20_000]),
    loss: chance.pick([0, 0.02, 0.1]),
    twice: chance.pick([0, 0.05, 0.3]),
    late: chance.pick([5_000, 500_000, 5 * SECOND]),
  };
  return kinds.includes("messages") ? link : FAIR_LINK;
}

const FAIR_DISK_MEAN = 400;
