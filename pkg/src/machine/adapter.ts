/**
 * A user's machine as the core drives it, inside the worker: bytes in, bytes out.
 *
 * What the machine throws in `apply` and `query`, or gives back there and cannot be stored, is a result like any other,
 * the same on every node. Whatever else goes wrong is the end of the node: `call` throws, `failure` says why, and the
 * core lets nothing out any more.
 */

import { show } from "../check.js";
import {
  decode,
  encode,
  encodeSnapshot,
  encodeThrown,
  encodeUnfit,
  isWordedByEngine,
  MAX_ANSWER_BYTES,
  MAX_MESSAGE_BYTES,
  messageOf,
  whyUnfit,
} from "./codec.js";
import { randomOf } from "./random.js";
import type { MachineContext, Machine as MachineOf } from "./types.js";

/** A machine whose types only its author knows. */
export type Machine = MachineOf<unknown, unknown, unknown, unknown>;

/** The core's numbers for what it asks. */
const APPLY = 0;
const QUERY = 1;
const SNAPSHOT = 2;
const RESTORE = 3;
const TICK = 4;

const NO_BYTES = new Uint8Array(0);

export class Adapter {
  /** The log time of the next tick. */
  due = Number.NaN;
  failure: { readonly code: "MACHINE_FAILED"; readonly message: string } | undefined;
  readonly #make: () => Machine;
  readonly #tell: Tell;
  #machine: Machine;

  /** `make` gives a fresh machine for each snapshot that is restored. */
  constructor(first: Machine, make: () => Machine, tell: Tell = tellOnce()) {
    this.#machine = first;
    this.#make = make;
    this.#tell = tell;
    this.#look();
  }

  call(what: number, bytes: Uint8Array, index: number, term: number, timeMs: number): Uint8Array {
    if (this.failure !== undefined) throw this.failure;
    try {
      switch (what) {
        case APPLY: {
          const context = contextOf(index, term, timeMs);
          const apply = (command: unknown) => this.#machine.apply(command, context);
          const reply = this.#answer("apply", apply, bytes, MAX_MESSAGE_BYTES);
          this.#look();
          return reply;
        }
        case QUERY: {
          const query = (query: unknown) => this.#machine.query(query);
          return this.#answer("query", query, bytes, MAX_ANSWER_BYTES);
        }
        case SNAPSHOT:
          return snapshotOf(this.#machine);
        case RESTORE: {
          const machine = this.#make();
          const snapshot = decode(bytes);
          doing("restore", () => mustReturn("restore", machine.restore(snapshot)));
          this.#machine = machine;
          break;
        }
        case TICK:
          doing("tick", () => {
            mustReturn("tick", this.#machine.tick?.(contextOf(index, term, timeMs)));
          });
          break;
      }
      this.#look();
      return NO_BYTES;
    } catch (error) {
      this.failure = { code: "MACHINE_FAILED", message: messageOf(error) };
      throw error;
    }
  }

  /** What came of a command or a query, in bytes. */
  #answer(
    method: "apply" | "query",
    work: (value: unknown) => unknown,
    bytes: Uint8Array,
    maxBytes: number,
  ): Uint8Array {
    let value: unknown;
    try {
      value = decode(bytes);
    } catch {
      return encodeUnfit(`${method}() was not called: what it was to get cannot be read`);
    }
    let result: unknown;
    try {
      result = work(value);
    } catch (error) {
      if (isWordedByEngine(error)) this.#tell(method, error);
      return encodeThrown(error);
    }
    try {
      if (!isPromise(result)) return encode(result, maxBytes);
      return encodeUnfit(`${method}() gave a promise; it must do its work at once`);
    } catch (error) {
      return encodeUnfit(`what ${method}() gave cannot be stored: ${whyUnfit(error)}`);
    }
  }

  #look(): void {
    const due = doing("dueAt", () => this.#machine.dueAt?.());
    if (due === undefined || due === null) this.due = Number.NaN;
    else if (typeof due === "number" && due >= 0) this.due = Math.ceil(due);
    else throw new Error(`the machine's dueAt() gave ${show(due)}, which is no time`);
  }
}

/** The state's bytes. */
export function snapshotOf(machine: Machine): Uint8Array {
  const snapshot = doing("snapshot", () => machine.snapshot());
  mustReturn("snapshot", snapshot);
  if (snapshot === undefined) throw new Error("the machine's snapshot() gave nothing");
  try {
    return encodeSnapshot(snapshot);
  } catch (error) {
    throw new Error(`the machine's snapshot cannot be stored: ${messageOf(error)}`);
  }
}

/** Is told what a machine threw by mistake: its text is the engine's, so it is not replicated, and nobody else gets it. */
export type Tell = (method: "apply" | "query", error: unknown) => void;

/** Writes the first one to the console. */
function tellOnce(): Tell {
  let told = false;
  return (method, error) => {
    if (told) return;
    told = true;
    try {
      console.error(
        `quorate: the machine's ${method}() threw; only the first such error is shown:`,
        error,
      );
    } catch {
      // Errors may say in code of their own how they are to be shown.
    }
  };
}

/** Where the machine has nobody to throw to. */
function doing<T>(method: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`the machine's ${method}() threw: ${String(error)}`);
  }
}

function mustReturn(method: string, result: unknown): void {
  if (isPromise(result)) {
    throw new Error(`the machine's ${method}() gave a promise; it must do its work at once`);
  }
}

/** Nobody waits for it; what becomes of it shall not end the worker in the middle. */
function isPromise(value: unknown): boolean {
  const then = (value as Partial<PromiseLike<unknown>> | null | undefined)?.then;
  if (typeof value !== "object" || typeof then !== "function") return false;
  Promise.resolve(value).catch(() => {});
  return true;
}

function contextOf(index: number, term: number, now: number): MachineContext {
  let random: (() => number) | undefined;
  return {
    index,
    term,
    now,
    random: () => {
      random ??= randomOf(index, term);
      return random();
    },
  };
}
