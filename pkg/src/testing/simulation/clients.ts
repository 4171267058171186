/** The clients of a simulated world: the shipped client, and a user who makes one call after the other. */

import { BareClient, type QuorateWasmError } from "../../../wasm/quorate_wasm.js";
import { invalid } from "../../check.js";
import { decode, encode, MAX_MESSAGE_BYTES, messageOf } from "../../machine/codec.js";
import type { Chance } from "./chance.js";
import { type Execution, TAG_BYTES } from "./execution.js";
import type { Queue } from "./queue.js";
import type { TracedCall } from "./types.js";

/** A call, as the simulation knows it. Times in virtual microseconds. */
export interface Call {
  /** From 1, in the order in which calls begin. */
  readonly tag: number;
  readonly client: number;
  readonly isQuery: boolean;
  readonly bytes: Uint8Array;
  readonly invoked: number;
  /** What any client may know when it begins: the state must show the command at this place. */
  readonly knows: number;
  returned: number;
  /** The last place that any node had come to when it ended. */
  reached: number;
  answer: Uint8Array | undefined;
  outcome: "open" | "answered" | "not-applied" | "unknown";
}

/** What clients share. */
export interface Market {
  readonly queue: Queue;
  readonly nodes: readonly number[];
  readonly calls: Call[];
  readonly execution: Execution;
  /** What the client asks for next; nothing if it has no more to ask. */
  next(client: number): TracedCall | undefined;
  /** The place of the last command of which any client was told. */
  known: number;
  send(from: number, to: number, frame: Uint8Array): void;
  note(what: number, value: number): void;
}

const CALLED = 4;
const ENDED = 5;
const NO_BYTES = new Uint8Array(0);

export class User {
  readonly #core: BareClient;
  /** What the core's handler heard, for after the core's turn. */
  #heard: (() => void)[] = [];
  #sends: (() => void)[] = [];
  #open: { readonly id: number; readonly call: Call } | undefined;
  #armed = Number.POSITIVE_INFINITY;
  /** Makes no further calls. */
  silent = false;
  readonly #timeoutMs: number;
  readonly #pause: number;

  readonly id: number;
  readonly market: Market;
  readonly chance: Chance;

  constructor(id: number, market: Market, chance: Chance) {
    this.id = id;
    this.market = market;
    this.chance = chance;
    const effects = {
      frame: (_: boolean, to: number, frame: Uint8Array) =>
        void this.#sends.push(() => market.send(-id, to, frame)),
      write: () => {},
      event: () => {},
    };
    const handler = {
      done: (call: number, reply: Uint8Array) =>
        void this.#heard.push(() => this.#end(call, reply, "answered")),
      failed: (call: number, error: QuorateWasmError) => {
        const outcome = error.outcome === "notApplied" ? "not-applied" : "unknown";
        this.#heard.push(() => this.#end(call, undefined, outcome));
      },
    };
    const attemptTimeoutMs = chance.pick([200, 1_000]);
    const settings = { nodes: [...market.nodes], attemptTimeoutMs };
    this.#core = new BareClient(settings, chance.below(2 ** 53), effects, handler);
    this.#timeoutMs = chance.pick([500, 2_000, 8_000]);
    this.#pause = chance.pick([2_000, 10_000, 40_000]);
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Calls after a pause, if nothing is open. */
  plan(): void {
    this.market.queue.after(this.chance.exponential(this.#pause), () => {
      if (!this.silent) this.call();
    });
  }

  call(): void {
    if (this.#open !== undefined) return;
    const { market } = this;
    const { calls, queue } = market;
    const wish = market.next(this.id);
    if (wish === undefined) return;
    const { isQuery, bytes } = encodeCall(wish);
    const call: Call = {
      tag: calls.length + 1,
      client: this.id,
      isQuery,
      bytes,
      invoked: queue.now,
      knows: market.known,
      returned: Number.POSITIVE_INFINITY,
      reached: Number.POSITIVE_INFINITY,
      answer: undefined,
      outcome: "open",
    };
    calls.push(call);
    market.note(CALLED, call.tag);
    const body = isQuery ? bytes : tagged(call.tag, bytes);
    const id = this.#core.call(queue.now, isQuery, body, this.#timeoutMs);
    this.#open = { id, call };
    this.#turn(0, NO_BYTES);
  }

  arrive(from: number, frame: Uint8Array): void {
    this.#turn(from, frame);
  }

  free(): void {
    this.#core.free();
  }

  #turn(from: number, frame: Uint8Array): void {
    const { queue } = this.market;
    const next = this.#core.handle(queue.now, from, frame);
    for (const send of this.#sends.splice(0)) send();
    if (next < this.#armed) {
      this.#armed = next;
      queue.at(next, () => {
        if (this.#armed !== next) return;
        this.#armed = Number.POSITIVE_INFINITY;
        this.#turn(0, NO_BYTES);
      });
    }
    for (const hear of this.#heard.splice(0)) hear();
  }

  #end(id: number, answer: Uint8Array | undefined, outcome: Call["outcome"]): void {
    if (this.#open?.id !== id) return;
    const { call } = this.#open;
    const { market } = this;
    this.#open = undefined;
    call.outcome = outcome;
    call.answer = answer;
    call.returned = market.queue.now;
    call.reached = market.execution.reached;
    market.note(ENDED, call.tag);
    if (answer !== undefined && !call.isQuery) {
      market.known = Math.max(market.known, market.execution.placeOf(call.tag)?.index ?? 0);
    }
    if (!this.silent) this.plan();
  }
}

/** A call to be kept in a trace, where nothing changes it any more. Throws `INVALID_ARGUMENT` for what cannot be stored. */
export function traced(isQuery: boolean, given: unknown): TracedCall {
  const value = decode(encoded(isQuery, given).bytes);
  if (value === undefined) return { nothing: isQuery ? "query" : "command" };
  if (value instanceof Uint8Array) {
    const text = btoa(Array.from(value, (byte) => String.fromCharCode(byte)).join(""));
    return isQuery ? { queryBytes: text } : { commandBytes: text };
  }
  return isQuery ? { query: value } : { command: value };
}

function encodeCall(call: TracedCall): { isQuery: boolean; bytes: Uint8Array } {
  const fromText = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  if ("commandBytes" in call) return encoded(false, fromText(call.commandBytes));
  if ("queryBytes" in call) return encoded(true, fromText(call.queryBytes));
  if ("nothing" in call) return encoded(call.nothing === "query", undefined);
  if ("query" in call) return encoded(true, call.query);
  return encoded(false, call.command);
}

function encoded(isQuery: boolean, value: unknown): { isQuery: boolean; bytes: Uint8Array } {
  try {
    return { isQuery, bytes: encode(value, MAX_MESSAGE_BYTES) };
  } catch (error) {
    const what = isQuery ? "query()" : "command()";
    throw invalid(`what ${what} gave cannot be stored: ${messageOf(error)}`, error);
  }
}

/** The value of a call. */
export const askedOf = (call: Call): unknown => decode(call.bytes);

function tagged(tag: number, command: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(TAG_BYTES + command.length);
  new DataView(bytes.buffer).setFloat64(0, tag);
  bytes.set(command, TAG_BYTES);
  return bytes;
}
