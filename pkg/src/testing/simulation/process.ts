/** One node and what it stands on: a disk that outlives it, a clock, and the run under way. */

import { BareNode, type HostEvent } from "../../../wasm/quorate_wasm.js";
import type { Chance } from "./chance.js";
import { type Deletes, Disk, type Puts } from "./disk.js";
import type { ObservedMachine } from "./execution.js";
import type { Queue } from "./queue.js";

/** Events of a node, by the core's numbers. */
const PEER_FRAME = 0;
const CLIENT_FRAME = 1;
const DURABLE = 2;
const WRITE_FAILED = 3;
const TIMER = 4;
const CLOCK_STOPPED = 5;
const LOOK = 7;
const NO_BYTES = new Uint8Array(0);

/** Settings of the core that are the same on all nodes of a world. */
export interface CoreSettings {
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly snapshotEntries: number;
  readonly keepEntries: number;
  readonly snapshotChunkBytes: number;
}

/** What a node needs of its world. */
export interface Around {
  readonly queue: Queue;
  readonly settings: CoreSettings;
  /** The ids of all nodes. */
  readonly nodes: readonly number[];
  /** A frame leaves; clients have addresses below zero. */
  send(from: number, to: number, frame: Uint8Array): void;
  /** A machine for a run that begins. */
  machine(process: Process): ObservedMachine;
  /** Something that the world wants to know. */
  event(process: Process, event: HostEvent): void;
  /** The node cannot go on, because of its machine. */
  failed(process: Process, message: string): void;
  note(what: number, node: number): void;
}

type Effect =
  | { readonly type: "frame"; readonly to: number; readonly frame: Uint8Array }
  | { readonly type: "write"; readonly seq: number; readonly deletes: Deletes; readonly puts: Puts }
  | { readonly type: "event"; readonly event: HostEvent };

/** A node that does nothing for a while. */
interface Pause {
  /** What came meanwhile. */
  readonly waiting: (() => void)[];
  /** The node's own time when it began. */
  readonly local: number;
}

interface Run {
  readonly core: BareNode;
  readonly machine: ObservedMachine;
  /** When the timer fires, by the node's clock. */
  armed: number;
}

/** The name of the simulated cluster. */
const CLUSTER = "simulated";
const STARTED = 1;
const CRASHED = 2;

export class Process {
  readonly disk: Disk;
  starts = 0;
  /** Storages that it has lost. */
  lost = 0;
  role = "";
  leader: number | null = null;
  term = 0;
  commit = 0;
  applied = 0;
  last = 0;
  /** It crashes after so many effects. */
  crashAfter = Number.POSITIVE_INFINITY;
  #run: Run | undefined;
  #effects: Effect[] = [];
  #pause: Pause | undefined;
  #clock = { at: 0, local: 0, rate: 1 };

  readonly id: number;
  readonly around: Around;
  readonly chance: Chance;
  readonly seeds: Chance;

  constructor(id: number, around: Around, disks: Chance, chance: Chance, seeds: Chance) {
    this.id = id;
    this.around = around;
    this.chance = chance;
    this.seeds = seeds;
    this.disk = new Disk(disks);
    this.#clock.local = chance.below(1e9);
  }

  get runs(): boolean {
    return this.#run !== undefined;
  }

  get paused(): boolean {
    return this.#pause !== undefined;
  }

  get machine(): ObservedMachine | undefined {
    return this.#run?.machine;
  }

  /** The node's own time, in microseconds. */
  get local(): number {
    const { at, local, rate } = this.#clock;
    return Math.floor(local + (this.around.queue.now - at) * rate);
  }

  /** Begins a run with what the disk holds. */
  start(): void {
    if (this.#run !== undefined) return;
    const { around } = this;
    this.starts += 1;
    around.note(STARTED, this.id);
    const effects = {
      frame: (toClient: boolean, to: number, frame: Uint8Array) =>
        void this.#effects.push({ type: "frame", to: toClient ? -to : to, frame }),
      write: (seq: number, deletes: Deletes, puts: Puts) =>
        void this.#effects.push({ type: "write", seq, deletes, puts }),
      event: (event: HostEvent) => void this.#effects.push({ type: "event", event }),
    };
    let machine: ObservedMachine;
    let core: BareNode;
    try {
      machine = around.machine(this);
      const voters = [...around.nodes];
      const settings = { cluster: CLUSTER, node: this.id, voters, machine, ...around.settings };
      const [records, seed] = [this.disk.read(), this.seeds.below(2 ** 53)];
      core = new BareNode(settings, this.lost, records, this.local, seed, effects);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#run = { core, machine, armed: Number.POSITIVE_INFINITY };
    // Its identity.
    for (const effect of this.#effects.splice(0)) {
      if (effect.type !== "write") continue;
      this.disk.begin(effect.deletes, effect.puts);
      this.disk.finish();
    }
    this.#handle(TIMER, 0, NO_BYTES);
  }

  /** Ends the run without farewell. */
  crash(): void {
    if (this.#run === undefined) return;
    this.around.note(CRASHED, this.id);
    this.#run.core.free();
    this.#run = undefined;
    this.#effects = [];
    this.#pause = undefined;
    this.crashAfter = Number.POSITIVE_INFINITY;
    this.disk.crash();
    this.role = "";
    this.leader = null;
  }

  /** Ends the run, and all that was stored. */
  lose(): void {
    this.crash();
    this.disk.wipe();
    this.lost += 1;
  }

  /**
   * Does nothing until what this returns is called, or until it crashes: what comes waits. If it freezes, its clock goes on
   * from where it is now.
   */
  pause(freezes: boolean): () => void {
    const pause: Pause = { waiting: [], local: this.local };
    this.#pause = pause;
    return () => {
      if (this.#pause !== pause) return;
      this.#pause = undefined;
      const { waiting, local } = pause;
      if (freezes) {
        this.#setClock(local - this.local);
        this.#handle(CLOCK_STOPPED, 0, NO_BYTES);
      }
      for (const event of this.chance.happens(0.5) ? waiting : waiting.reverse()) event();
    };
  }

  /** The clock jumps forward. */
  jump(by: number): void {
    this.#setClock(by);
  }

  /** From now on the clock goes at this rate. */
  drift(rate: number): void {
    this.#setClock(0, rate);
  }

  arrive(from: number, frame: Uint8Array): void {
    this.#take(() =>
      from > 0 ? this.#handle(PEER_FRAME, from, frame) : this.#handle(CLIENT_FRAME, -from, frame),
    );
  }

  /** Brings `commit`, `applied` and `last` up to date. */
  look(): void {
    this.#handle(LOOK, 0, NO_BYTES);
  }

  #setClock(by: number, rate = this.#clock.rate): void {
    this.#clock = { at: this.around.queue.now, local: this.local + by, rate };
    if (this.#run === undefined) return;
    // What is armed fires at the wrong time.
    this.#run.armed = Number.POSITIVE_INFINITY;
    this.#arm(this.local);
  }

  /** Does it now, or when the node goes on; not in a later run. */
  #take(work: () => void): void {
    const run = this.#run;
    if (run === undefined) return;
    if (this.#pause === undefined) work();
    else this.#pause.waiting.push(() => void (this.#run === run && work()));
  }

  #handle(what: number, from: number, frame: Uint8Array): void {
    const run = this.#run;
    if (run === undefined) return;
    let next: number;
    try {
      next = run.core.handle(this.local, what, from, frame);
    } catch (error) {
      this.#fail(error);
      return;
    }
    for (const effect of this.#effects.splice(0)) {
      if (this.crashAfter <= 0) {
        this.crash();
        return;
      }
      this.crashAfter -= 1;
      this.#do(effect);
    }
    if (this.#run === run) this.#arm(next);
  }

  #do(effect: Effect): void {
    const { queue } = this.around;
    switch (effect.type) {
      case "frame":
        this.around.send(this.id, effect.to, effect.frame);
        return;
      case "event":
        this.#hear(effect.event);
        return;
      case "write": {
        const run = this.#run;
        const pause = this.disk.begin(effect.deletes, effect.puts);
        const written = () =>
          void (this.#run === run && this.#take(() => this.#written(effect.seq)));
        queue.after(pause, written);
      }
    }
  }

  #written(seq: number): void {
    if (this.disk.failing) {
      this.disk.failing = false;
      this.#handle(WRITE_FAILED, 0, NO_BYTES);
      this.crash();
      return;
    }
    this.disk.finish();
    this.#handle(DURABLE, seq, NO_BYTES);
  }

  #hear(event: HostEvent): void {
    if (event.type === "role") {
      this.role = event.role;
      this.leader = event.leader;
      this.term = event.term;
    } else if (event.type === "progress") {
      this.commit = event.commit;
      this.applied = event.applied;
      this.last = event.last;
    }
    this.around.event(this, event);
  }

  #arm(next: number): void {
    const run = this.#run;
    if (run === undefined || next >= run.armed) return;
    run.armed = next;
    const { at, local, rate } = this.#clock;
    this.around.queue.at(Math.ceil(at + (next - local) / rate), () => {
      if (this.#run !== run || run.armed !== next) return;
      this.#take(() => {
        run.armed = Number.POSITIVE_INFINITY;
        this.#handle(TIMER, 0, NO_BYTES);
      });
    });
  }

  #fail(error: unknown): void {
    // A panic of the core is nobody's machine.
    if (error instanceof WebAssembly.RuntimeError) throw error;
    this.#effects = [];
    this.around.failed(this, error instanceof Error ? error.message : String(error));
  }
}
