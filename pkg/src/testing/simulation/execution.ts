/**
 * What the machines of all nodes execute, held side by side: the same commands in the same places, the same replies, and
 * the same states wherever two nodes show theirs after the same command.
 */

import type { MachineObject } from "../../../wasm/quorate_wasm.js";
import { Adapter } from "../../machine/adapter.js";
import type { Chance } from "./chance.js";
import type { Maker } from "./source.js";
import type { Surroundings } from "./surroundings.js";
import type { SimulationFailure } from "./types.js";
import { differences, sameBytes, sayResult } from "./words.js";

/** A command or a tick, as it was executed first. */
export interface Executed {
  readonly index: number;
  readonly term: number;
  readonly timeMs: number;
  /** The call; `undefined` for a tick. */
  readonly tag: number | undefined;
  readonly command: Uint8Array;
  readonly reply: Uint8Array;
  readonly node: number;
}

/** A failure, but for its time. */
export type Found = Omit<SimulationFailure, "at">;

/** States of so many places are remembered. */
const STATES_MAX = 256;
/** One query in so many is watched for what it changes. */
const QUERIES_PER_LOOK = 8;
/** Bytes that stand before a command: the number of its call. */
export const TAG_BYTES = 8;

export class Execution {
  /** In the order of the log. */
  readonly log: Executed[] = [];
  readonly #places = new Map<number, Executed>();
  readonly #tags = new Map<number, number>();
  readonly #states = new Map<number, { readonly node: number; readonly bytes: Uint8Array }>();
  /** The first one. */
  failure: Found | undefined;
  snapshots = 0;
  restores = 0;

  /** The last place that any node has come to. */
  get reached(): number {
    return this.log.at(-1)?.index ?? 0;
  }

  /** Where a call's command was executed. */
  placeOf(tag: number): Executed | undefined {
    const index = this.#tags.get(tag);
    return index === undefined ? undefined : this.#places.get(index);
  }

  fail(found: Found): void {
    this.failure ??= found;
  }

  executed(now: Executed): void {
    const { index, node, tag } = now;
    const first = this.#places.get(index);
    if (first === undefined) {
      this.#places.set(index, now);
      this.log.push(now);
      if (tag === undefined) return;
      const before = this.#tags.get(tag);
      if (before !== undefined) {
        const message = `call ${tag} was executed twice, at ${before} and at ${index}`;
        this.fail({ kind: "diverged", message, details: [], nodes: [node], index });
      }
      this.#tags.set(tag, index);
    } else if (!sameBytes(first.reply, now.reply)) {
      this.fail({
        kind: "diverged",
        message: `${both(first.node, node)} replied otherwise to the same command, number ${index} of the log`,
        details: [
          `command: ${sayResult(now.command)}`,
          `node ${first.node}: ${sayResult(first.reply)}`,
          `node ${node}: ${sayResult(now.reply)}`,
        ],
        nodes: [...new Set([first.node, node])],
        index,
      });
    }
  }

  /** The state of a node after the command at `index`. */
  state(node: number, index: number, bytes: Uint8Array): void {
    const first = this.#states.get(index);
    if (first === undefined) {
      this.#states.set(index, { node, bytes });
      if (this.#states.size > STATES_MAX) {
        const [oldest] = this.#states.keys();
        if (oldest !== undefined) this.#states.delete(oldest);
      }
    } else if (!sameBytes(first.bytes, bytes)) {
      this.fail({
        kind: "diverged",
        message: `after the same commands, up to number ${index} of the log, ${both(first.node, node)} had other states`,
        details: differences(first.bytes, `node ${first.node}`, bytes, `node ${node}`),
        nodes: [...new Set([first.node, node])],
        index,
      });
    }
  }
}

/** Two nodes, or one before a start and after it. */
const both = (one: number, other: number) =>
  one === other ? `two runs of node ${one}` : `nodes ${one} and ${other}`;

/** The core's numbers for what it asks. */
const APPLY = 0;
const QUERY = 1;
const SNAPSHOT = 2;
const RESTORE = 3;
const TICK = 4;
const METHODS = ["apply", "query", "snapshot", "restore", "tick"];
const NO_BYTES = new Uint8Array(0);

/** What a machine sees of the world around it, and must not look at. */
export interface Sight {
  readonly surroundings: Surroundings;
  /** The node's wall clock, in milliseconds. */
  readonly wall: () => number;
  readonly chance: Chance;
}

/** The machine of one run of one node, as its core sees it. */
export class ObservedMachine implements MachineObject {
  readonly #adapter: Adapter;
  #place: number | undefined;
  #queries = 0;

  readonly node: number;
  readonly execution: Execution;
  /** After so many commands the state is looked at. */
  readonly every: number;
  readonly sight: Sight;

  constructor(make: Maker, node: number, execution: Execution, every: number, sight: Sight) {
    this.node = node;
    this.execution = execution;
    this.every = every;
    this.sight = sight;
    const guarded = () => this.#during("constructor", make);
    this.#adapter = new Adapter(guarded(), guarded);
  }

  get due(): number {
    return this.#adapter.due;
  }

  get failure(): { code: string; message: string } | undefined {
    return this.#adapter.failure;
  }

  /** The state as of now. */
  state(): Uint8Array {
    return this.#ask(SNAPSHOT, NO_BYTES, 0, 0, 0);
  }

  /** Shows the state to be compared with those of others. */
  show(): void {
    if (this.#place !== undefined) this.execution.state(this.node, this.#place, this.state());
  }

  call(what: number, bytes: Uint8Array, index: number, term: number, timeMs: number): Uint8Array {
    switch (what) {
      case APPLY:
        return this.#apply(bytes, index, term, timeMs);
      case TICK: {
        this.#ask(TICK, bytes, index, term, timeMs);
        this.#note({ index, term, timeMs, tag: undefined, command: NO_BYTES, reply: NO_BYTES });
        return NO_BYTES;
      }
      case QUERY:
        return this.#query(bytes);
      case SNAPSHOT: {
        const state = this.state();
        this.execution.snapshots += 1;
        if (this.#place !== undefined) this.execution.state(this.node, this.#place, state);
        return state;
      }
      default:
        return this.#restore(bytes);
    }
  }

  #apply(bytes: Uint8Array, index: number, term: number, timeMs: number): Uint8Array {
    const tag = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
    const command = bytes.slice(TAG_BYTES);
    const reply = this.#ask(APPLY, command, index, term, timeMs);
    this.#note({ index, term, timeMs, tag, command, reply: reply.slice() });
    return reply;
  }

  #note(executed: Omit<Executed, "node">): void {
    this.#place = executed.index;
    this.execution.executed({ ...executed, node: this.node });
    if (executed.index % this.every === 0) this.show();
  }

  #query(bytes: Uint8Array): Uint8Array {
    this.#queries += 1;
    if (this.#queries % QUERIES_PER_LOOK !== 1) return this.#ask(QUERY, bytes, 0, 0, 0);
    const before = this.state();
    const answer = this.#ask(QUERY, bytes, 0, 0, 0);
    const after = this.state();
    if (!sameBytes(before, after)) {
      this.execution.fail({
        kind: "query-changed",
        message: `query() changed the state of node ${this.node}, and of that node alone`,
        details: [`query: ${sayResult(bytes)}`, ...differences(before, "before", after, "after")],
        nodes: [this.node],
      });
    }
    return answer;
  }

  #restore(bytes: Uint8Array): Uint8Array {
    this.execution.restores += 1;
    this.#place = undefined;
    this.#ask(RESTORE, bytes, 0, 0, 0);
    const again = this.state();
    if (!sameBytes(bytes, again)) {
      this.execution.fail({
        kind: "restore",
        message: `what restore() made of a snapshot on node ${this.node} gives another snapshot than that`,
        details: differences(bytes, "snapshotted", again, "restored"),
        nodes: [this.node],
      });
    }
    return NO_BYTES;
  }

  #ask(what: number, bytes: Uint8Array, index: number, term: number, timeMs: number): Uint8Array {
    const work = () => this.#adapter.call(what, bytes, index, term, timeMs);
    return this.#during(METHODS[what] ?? "", work);
  }

  #during<T>(method: string, work: () => T): T {
    return look(this.sight, method, work);
  }
}

/** Lets a machine do its work where it sees of the world what it is to see. */
export function look<T>({ surroundings, wall, chance }: Sight, method: string, work: () => T): T {
  return surroundings.during(method, wall, () => chance.next(), work);
}
