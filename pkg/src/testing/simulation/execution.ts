/**
 * What the machines of all nodes execute, held side by side: the same commands in the same places, the same replies, and
 * the same states wherever two nodes show theirs after the same command.
 */

import type { MachineObject } from "../../../wasm/quorate_wasm.js";
import { Digest } from "./digest.js";
import type { Maker } from "./source.js";
import type { SimulationFailure } from "./types.js";
import { APPLY, QUERY, RESTORE, type Sight, SNAPSHOT, TICK, Watched } from "./watched.js";
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
  /** What the engine said of a mistake. */
  readonly said?: string | undefined;
  readonly node: number;
}

/** A failure, but for its time. */
export type Found = Omit<SimulationFailure, "at">;

/** States of so many places are remembered; of others their fingerprints alone. */
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
  readonly #states = new Map<number, Shown>();
  /** Places whose states are remembered in full, oldest first. */
  readonly #whole: number[] = [];
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
    } else if (!isSame(first, now)) {
      const message = `${both(first.node, node)} were given different commands, number ${index} of the log`;
      const details = [
        `node ${first.node}: ${sayCommand(first)}`,
        `node ${node}: ${sayCommand(now)}`,
      ];
      this.fail({
        kind: "diverged",
        message,
        details,
        nodes: [...new Set([first.node, node])],
        index,
      });
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
      this.#states.set(index, { node, print: fingerprint(bytes), bytes });
      this.#whole.push(index);
      if (this.#whole.length > STATES_MAX) {
        const oldest = this.#states.get(this.#whole.shift() ?? 0);
        if (oldest !== undefined) oldest.bytes = undefined;
      }
      return;
    }
    const found = differs(first, index, bytes, `node ${node}`, both(first.node, node));
    if (found !== undefined) this.fail({ ...found, nodes: [...new Set([first.node, node])] });
  }

  /** A machine that did all commands up to `index`, and was never restored, has this state there. */
  compare(index: number, state: () => Uint8Array): Found | undefined {
    const first = this.#states.get(index);
    if (first === undefined) return undefined;
    const who = `node ${first.node} and a machine that was never restored`;
    return differs(first, index, state(), "never restored", who);
  }
}

/** The state that a node showed first after a command. */
interface Shown {
  readonly node: number;
  readonly print: string;
  bytes: Uint8Array | undefined;
}

function differs(
  first: Shown,
  index: number,
  bytes: Uint8Array,
  name: string,
  who: string,
): Found | undefined {
  if (
    first.bytes === undefined ? first.print === fingerprint(bytes) : sameBytes(first.bytes, bytes)
  )
    return undefined;
  return {
    kind: "diverged",
    message: `after the same commands, up to number ${index} of the log, ${who} had other states`,
    details:
      first.bytes === undefined
        ? [`${name}: ${sayResult(bytes)}`]
        : differences(first.bytes, `node ${first.node}`, bytes, name),
    nodes: [first.node],
    index,
  };
}

function fingerprint(bytes: Uint8Array): string {
  const digest = new Digest();
  digest.bytes(bytes);
  return String(digest);
}

/** Whether it is the same command in the same circumstances. */
function isSame(one: Executed, other: Executed): boolean {
  return (
    one.tag === other.tag &&
    one.term === other.term &&
    one.timeMs === other.timeMs &&
    sameBytes(one.command, other.command)
  );
}

function sayCommand({ tag, term, timeMs, command }: Executed): string {
  const what = tag === undefined ? "a tick" : `call ${tag}, ${sayResult(command)},`;
  return `${what} of term ${term} at ${timeMs} ms`;
}

/** Two nodes, or one before a start and after it. */
const both = (one: number, other: number) =>
  one === other ? `two runs of node ${one}` : `nodes ${one} and ${other}`;

const NO_BYTES = new Uint8Array(0);

/** The machine of one run of one node, as its core sees it. */
export class ObservedMachine implements MachineObject {
  readonly #machine: Watched;
  #place: number | undefined;
  #queries = 0;

  readonly node: number;
  readonly execution: Execution;
  /** After so many commands the state is looked at. */
  readonly every: number;

  constructor(make: Maker, node: number, execution: Execution, every: number, sight: Sight) {
    this.node = node;
    this.execution = execution;
    this.every = every;
    this.#machine = new Watched(make, sight);
  }

  get due(): number {
    return this.#machine.due;
  }

  get failure(): { code: string; message: string } | undefined {
    return this.#machine.failure;
  }

  /** The state as of now. */
  state(): Uint8Array {
    return this.#machine.state();
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
        this.#machine.ask(TICK, bytes, index, term, timeMs);
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
    const reply = this.#machine.ask(APPLY, command, index, term, timeMs);
    const { said } = this.#machine;
    this.#note({ index, term, timeMs, tag, command, reply: reply.slice(), said });
    return reply;
  }

  #note(executed: Omit<Executed, "node">): void {
    this.#place = executed.index;
    this.execution.executed({ ...executed, node: this.node });
    if (executed.index % this.every === 0) this.show();
  }

  #query(bytes: Uint8Array): Uint8Array {
    this.#queries += 1;
    if (this.#queries % QUERIES_PER_LOOK !== 1) return this.#machine.ask(QUERY, bytes);
    const before = this.state();
    const answer = this.#machine.ask(QUERY, bytes);
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
    this.#machine.ask(RESTORE, bytes);
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
}
