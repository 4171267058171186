/** One seed, one world: nodes, clients and faults in one queue, from the first event to rest. */

import type { HostEvent } from "../../../wasm/quorate_wasm.js";
import { messageOf } from "../../machine/codec.js";
import {
  CALLS,
  Chance,
  CLOCKS,
  DISKS,
  FAULTS as FAULT_STREAM,
  MACHINES,
  MODEL,
  NETWORK,
  NODES,
  PAUSES,
  randomFor,
  SHAPE,
} from "./chance.js";
import { type Call, type Market, traced, User } from "./clients.js";
import { Digest } from "./digest.js";
import { Execution, ObservedMachine } from "./execution.js";
import { drawLink, Faults } from "./faults.js";
import { Network } from "./network.js";
import { type Around, type CoreSettings, Process } from "./process.js";
import { Queue } from "./queue.js";
import type { Maker } from "./source.js";
import { Surroundings } from "./surroundings.js";
import type { Fault, Random, SimulationFailure, TracedCall } from "./types.js";
import type { Sight } from "./watched.js";
import { seconds } from "./words.js";

/** What a world is before its first event. */
export interface Shape {
  readonly seed: number;
  readonly nodes: number;
  readonly clients: number;
  readonly seconds: number;
  readonly faults: readonly Fault[];
  /** What clients ask for: drawn, or as a trace has it. */
  readonly command: (random: Random, client: number) => unknown;
  readonly query: ((random: Random, client: number) => unknown) | undefined;
  readonly recorded: readonly (readonly TracedCall[])[] | undefined;
}

const SECOND = 1_000_000;
/** Calls go on so long after the last fault. */
const CALM = SECOND / 2;
/** Then the world must come to rest within this time. */
const REST_MAX = 60 * SECOND;
const LOOK_EVERY = 20_000;
/** A wall clock's time when the world begins, in milliseconds; and by how much those of nodes differ. */
const WALL_MS = 1_700_000_000_000;
const SKEW_MS = 5_000;
const ARRIVED = 6;
/** So many events are done before others of this thread get a turn. */
const EVENTS_PER_TURN = 2_000;

export class World {
  readonly queue = new Queue();
  readonly execution = new Execution();
  readonly surroundings = new Surroundings();
  readonly digest = new Digest();
  readonly calls: Call[] = [];
  /** What each client asked for. */
  readonly asked: TracedCall[][];
  readonly faults: Faults;
  readonly processes: readonly Process[];
  events = 0;
  terms = 0;
  failure: SimulationFailure | undefined;
  readonly #users: readonly User[];
  readonly #network: Network;
  /** Nodes whose storage was lost, and who have not got their votes back. */
  readonly #voteless = new Map<number, "voter" | "out">();
  #membersAt = 0;

  readonly shape: Shape;

  constructor(shape: Shape, makers: readonly Maker[]) {
    this.shape = shape;
    const { seed } = shape;
    const chance = (stream: number) => new Chance(seed, stream);
    const drawn = chance(SHAPE);
    const { queue, execution } = this;
    const settings = drawSettings(drawn);
    const every = drawn.pick([1, 3, 10]);
    const link = drawLink(shape.faults, drawn);
    this.#network = new Network(link, queue, chance(NETWORK), (from, to, frame) =>
      this.#arrive(from, to, frame),
    );
    const nodes = Array.from({ length: shape.nodes }, (_, at) => at + 1);
    const send = (from: number, to: number, frame: Uint8Array) =>
      this.#network.send(from, to, frame);
    const note = (what: number, value: number) => this.#note(what, value);
    const [disks, clocks, seeds, machines] = [DISKS, CLOCKS, NODES, MACHINES].map(chance) as [
      Chance,
      Chance,
      Chance,
      Chance,
    ];
    const skews = nodes.map(() => WALL_MS + machines.below(SKEW_MS));
    const around: Around = {
      queue,
      settings,
      nodes,
      send,
      note,
      machine: (process) => {
        const sight = this.sight(
          () => (skews[process.id - 1] ?? 0) + process.local / 1_000,
          machines,
        );
        const make = makers[process.id - 1] as Maker;
        return new ObservedMachine(make, process.id, execution, every, sight);
      },
      event: (process, event) => this.#hear(process, event),
      failed: (process, message) => {
        this.#halted(process, message);
        process.crash();
      },
    };
    this.processes = nodes.map((id) => new Process(id, around, disks, clocks, seeds));
    this.asked = Array.from({ length: shape.clients }, () => []);
    const market: Market = {
      queue,
      nodes,
      execution,
      send,
      note,
      calls: this.calls,
      known: 0,
      next: this.#wishes(),
    };
    this.#users = this.asked.map(
      (_, at) => new User(at + 1, market, new Chance(seed, PAUSES + at + 1)),
    );
    this.faults = new Faults(
      shape.faults.filter((kind) => kind !== "losses" || shape.nodes > 2),
      {
        queue,
        note,
        network: this.#network,
        processes: this.processes,
        clients: shape.clients,
        isWhole: () =>
          this.#voteless.size === 0 && this.processes.every((it) => it.runs && !it.paused),
        loses: (process) => void this.#voteless.set(process.id, "voter"),
      },
      chance(FAULT_STREAM),
    );
  }

  /** What a machine sees around it. */
  sight(
    wall = () => WALL_MS + this.queue.now / 1_000,
    chance = new Chance(this.shape.seed, MODEL),
  ): Sight {
    return { surroundings: this.surroundings, wall: () => Math.floor(wall()), chance };
  }

  /** Messages that the network lost, brought twice, or late. */
  get mishaps(): number {
    return this.#network.mishaps;
  }

  /** Lives the world until it is at rest, or something is found. `turn` lets others have theirs. */
  async live(turn: () => Promise<void>): Promise<void> {
    try {
      for (const process of this.processes) process.start();
      for (const user of this.#users) user.plan();
      this.faults.begin();
      await this.#until(this.shape.seconds * SECOND, turn);
      this.faults.stop();
      await this.#until(this.queue.now + CALM, turn);
      await this.#rest(turn);
      // Once more from what is stored.
      for (const process of this.processes) process.crash();
      for (const process of this.processes) process.start();
      await this.#rest(turn);
      for (const user of this.#users) user.call();
      await this.#rest(turn);
    } finally {
      for (const process of this.processes) process.crash();
      for (const user of this.#users) user.free();
    }
  }

  /** Runs until a time, or a failure. */
  async #until(end: number, turn: () => Promise<void>): Promise<void> {
    while (this.failure === undefined && this.queue.step(end)) {
      this.events += 1;
      const found = this.execution.failure;
      if (found !== undefined) this.#fail(found);
      if (this.events % EVENTS_PER_TURN === 0) await turn();
    }
  }

  /** Runs until all nodes and clients are done, and compares the states. */
  async #rest(turn: () => Promise<void>): Promise<void> {
    for (const user of this.#users) user.silent = true;
    const end = this.queue.now + REST_MAX;
    for (let open = this.#open(); open !== undefined; open = this.#open()) {
      if (this.failure !== undefined) return;
      if (this.queue.now >= end) {
        const message = `${REST_MAX / SECOND} simulated seconds after the last fault ${open}`;
        return this.#fail({ kind: "stuck", message, details: this.#standings(), nodes: [] });
      }
      await this.#until(this.queue.now + LOOK_EVERY, turn);
    }
    for (const process of this.processes) {
      try {
        process.machine?.show();
      } catch (error) {
        this.#halted(process, messageOf(error));
      }
    }
    if (this.execution.failure !== undefined) this.#fail(this.execution.failure);
  }

  /** What is still to be done. */
  #open(): string | undefined {
    for (const process of this.processes) process.look();
    const [first] = this.processes;
    if (first === undefined || this.failure !== undefined) return undefined;
    const calls = this.#users.filter((user) => user.isOpen).length;
    if (calls > 0) return `${calls} calls have no end`;
    for (const { id, runs, leader, applied, last } of this.processes) {
      if (!runs) return `node ${id} does not run`;
      if (leader === null) return `node ${id} knows no leader`;
      if (leader !== first.leader) return "nodes follow different leaders";
      if (applied !== last || applied !== first.applied) return "nodes have not applied the same";
    }
    if (this.#voteless.size > 0) return "not all nodes have their votes";
    return undefined;
  }

  #standings(): string[] {
    return this.processes.map(
      ({ id, runs, role, term, commit, applied, last }) =>
        `node ${id}: ${runs ? role : "down"}, term ${term}, last ${last}, commit ${commit}, applied ${applied}`,
    );
  }

  #arrive(from: number, to: number, frame: Uint8Array): void {
    this.#note(ARRIVED, to);
    this.digest.bytes(frame);
    if (to > 0) this.processes[to - 1]?.arrive(from, frame);
    else this.#users[-to - 1]?.arrive(from, frame);
  }

  #hear(process: Process, event: HostEvent): void {
    switch (event.type) {
      case "role":
        this.terms = Math.max(this.terms, event.term);
        return;
      case "membership":
        this.#members(event.index, event.members);
        return;
      case "halted":
        this.#fail({
          kind: event.code === "DIVERGED" ? "diverged" : "machine-failed",
          message: `node ${process.id}: ${event.message}`,
          details: [],
          nodes: [process.id],
        });
        return;
      case "progress":
      case "restored":
      case "storageBlocked":
        return;
    }
  }

  /** A node that lost its storage is out for a while, and then a voter again. */
  #members(index: number, members: { voters: number[]; outgoing: number[] }): void {
    if (index <= this.#membersAt) return;
    this.#membersAt = index;
    for (const [id, was] of this.#voteless) {
      const votes = members.voters.includes(id);
      if (!votes) this.#voteless.set(id, "out");
      else if (was === "out" && members.outgoing.length === 0) this.#voteless.delete(id);
    }
  }

  #wishes(): Market["next"] {
    const { seed, command, query, recorded } = this.shape;
    const randoms = this.asked.map((_, at) => randomFor(seed, CALLS + at + 1));
    return (client) => {
      const asked = this.asked[client - 1] as TracedCall[];
      let wish: TracedCall | undefined;
      if (recorded === undefined) {
        const random = randoms[client - 1] as Random;
        const isQuery = query !== undefined && random() < 0.5;
        wish = traced(isQuery, isQuery ? query(random, client) : command(random, client));
      } else {
        wish = structuredClone(recorded[client - 1]?.[asked.length]);
      }
      if (wish !== undefined) asked.push(wish);
      return wish;
    };
  }

  #note(what: number, value: number): void {
    this.digest.number(this.queue.now);
    this.digest.number(what);
    this.digest.number(value);
  }

  /** A node cannot go on, because of its machine. */
  #halted(process: Process, message: string): void {
    this.#fail({ kind: "machine-failed", message, details: [], nodes: [process.id] });
  }

  #fail(found: Omit<SimulationFailure, "at">): void {
    this.failure ??= { ...found, at: seconds(this.queue.now) };
  }
}

function drawSettings(chance: Chance): CoreSettings {
  const electionTimeoutMs = chance.pick([100, 150, 300, 500]);
  return {
    electionTimeoutMs,
    heartbeatIntervalMs: Math.floor(electionTimeoutMs / chance.between(3, 10)),
    snapshotEntries: chance.pick([1, 5, 20, 100]),
    keepEntries: chance.pick([0, 5, 1_000]),
    snapshotChunkBytes: chance.pick([100, 1_000, 262_144]),
  };
}
