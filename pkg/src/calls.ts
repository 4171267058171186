/**
 * Calls under way: each is a promise that the core's client ends exactly once, by its deadline at the latest.
 *
 * Retries, sessions and deadlines are the core's; here is only what JavaScript adds: promises, signals, and the
 * names and sentences of errors.
 */

import type { ClientHandler } from "../wasm/quorate_wasm.js";
import { onAbort } from "./abort.js";
import { abortedError, type Bounds, readBounds } from "./bounded.js";
import { closedError } from "./closed.js";
import type { Core } from "./core.js";
import { type Outcome, type QuorateError, quorateError, toPlain } from "./errors.js";
import { lateError, type Quorum } from "./late.js";
import type { CallOptions } from "./types.js";

interface Pending {
  readonly bounds: Bounds;
  /** Where a signal is given: it is not listened to any more. */
  readonly deaf: (() => void) | undefined;
  resolve(reply: Uint8Array): void;
  reject(error: QuorateError): void;
}

/** What the core has for it: a client of one group, or one of many, which finds the shard of a call, or is told. */
export interface AnyClient {
  connect(node: number, port: MessagePort): void;
  disconnect(node: number): void;
  leads?(node: number): void;
  write(command: Uint8Array, timeoutMs: number, shard?: number): number;
  read(query: Uint8Array, at: 0 | 1 | 2, timeoutMs: number, shard?: number): number;
  cancel(call: number): void;
  close(): void;
}

/** A machine's commands and queries, as bytes. */
export interface Caller {
  /** Executes a command, once. Resolves to the machine's reply. */
  write(command: Uint8Array, options: CallOptions): Promise<Uint8Array>;
  /** Answers a query: as is usual, from the asked node's own state, or from there once that has something to say. */
  read(query: Uint8Array, options: CallOptions, from?: From): Promise<Uint8Array>;
  /** Calls `hear` when no more calls can be made; what it returns takes that back. */
  onEnd(hear: (error: QuorateError) => void): () => void;
}

/** Where a query is answered, as the core numbers it. */
const FROM = ["any", "own", "waiting"] as const;
type From = (typeof FROM)[number];

export class Calls<C extends AnyClient = AnyClient> implements Caller {
  protected readonly client: C;
  readonly #deadlineMs: number;
  readonly #quorum: () => Quorum;
  readonly #pending = new Map<number, Pending>();
  readonly #offPanic: () => void;
  readonly #mourners = new Set<(error: QuorateError) => void>();
  #ended: QuorateError | undefined;

  /** `quorum` tells a missing quorum from a slow one when a deadline passes. */
  constructor(
    core: Core,
    deadlineMs: number,
    quorum: () => Quorum,
    make: (handler: ClientHandler) => C,
  ) {
    this.#deadlineMs = deadlineMs;
    this.#quorum = quorum;
    this.client = make({
      done: (call: number, reply: Uint8Array) => this.#take(call)?.resolve(reply),
      failed: (call: number, error: unknown) => {
        const pending = this.#take(call);
        pending?.reject(this.#translate(error, pending.bounds));
      },
    });
    this.#offPanic = core.onPanic((message) => {
      this.#end(quorateError("CLIENT_PANICKED", message, { outcome: "unknown" }));
    });
  }

  connect(node: number, port: MessagePort): void {
    this.#live?.connect(node, port);
  }

  disconnect(node: number): void {
    this.#live?.disconnect(node);
  }

  /** The node leads now, as far as is known: it is asked next, without a pause. */
  leads(node: number): void {
    this.#live?.leads?.(node);
  }

  write(command: Uint8Array, options: CallOptions, shard?: number): Promise<Uint8Array> {
    return this.#run(options, (ms) => this.client.write(command, ms, shard));
  }

  read(
    query: Uint8Array,
    options: CallOptions,
    from: From = "any",
    shard?: number,
  ): Promise<Uint8Array> {
    const at = FROM.indexOf(from) as 0 | 1 | 2;
    return this.#run(options, (ms) => this.client.read(query, at, ms, shard));
  }

  /** The client, as long as calls can be made. */
  get #live(): C | undefined {
    return this.#ended === undefined ? this.client : undefined;
  }

  /** Makes one call. Whatever `begin` throws was not sent. */
  #run(options: CallOptions, begin: (timeoutMs: number) => number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const bounds = readBounds(options, this.#deadlineMs);
      if (this.#ended !== undefined) throw this.#ended;
      const { signal } = bounds;
      if (signal?.aborted) throw abortedError(signal);
      let call: number;
      try {
        call = begin(bounds.timeoutMs);
      } catch (error) {
        throw this.#translate(error, bounds);
      }
      const deaf = signal && onAbort(signal, () => this.client.cancel(call));
      this.#pending.set(call, { bounds, deaf, resolve, reject });
    });
  }

  /** Calls `hear` when no more calls can be made; what it returns takes that back. */
  onEnd(hear: (error: QuorateError) => void): () => void {
    if (this.#ended === undefined) this.#mourners.add(hear);
    else hear(this.#ended);
    return () => void this.#mourners.delete(hear);
  }

  /** Ends every call with `CLOSED`; the core knows for each what can have become of it. */
  close(): void {
    if (this.#ended !== undefined) return;
    this.#ended = closedError();
    this.#offPanic();
    this.client.close();
    this.#mourn(this.#ended);
  }

  #mourn(error: QuorateError): void {
    for (const hear of this.#mourners) hear(error);
    this.#mourners.clear();
  }

  #end(error: QuorateError): void {
    this.#ended = error;
    for (const call of [...this.#pending.keys()]) this.#take(call)?.reject(error);
    this.#mourn(error);
  }

  #take(call: number): Pending | undefined {
    const pending = this.#pending.get(call);
    this.#pending.delete(call);
    pending?.deaf?.();
    return pending;
  }

  /** The core's error in the package's words. */
  #translate(error: unknown, bounds: Bounds): QuorateError {
    const {
      code,
      message,
      outcome: raw,
    } = error as { code?: unknown; message?: unknown; outcome?: unknown };
    const outcome = outcomeOf(raw);
    switch (code) {
      case "DEADLINE_EXCEEDED":
        return lateError(this.#quorum(), `no answer within ${bounds.timeoutMs} ms`, outcome);
      case "CANCELLED":
        return bounds.signal === undefined
          ? quorateError("ABORTED", "the call was aborted", { outcome })
          : abortedError(bounds.signal, outcome);
      case "TOO_LARGE":
        return quorateError("VALUE_TOO_LARGE", `${message}; divide what is written`, { outcome });
      case "TOO_MANY_CALLS":
        return quorateError(code, `${message}; wait for some of them`, { outcome });
      default: {
        const plain = toPlain(error, "CLIENT_PANICKED");
        return quorateError(plain.code, plain.message, {
          outcome,
          cause: error,
          place: plain.place,
        });
      }
    }
  }
}

function outcomeOf(outcome: unknown): Outcome {
  switch (outcome) {
    case "notApplied":
      return "not-applied";
    case "applied":
      return "applied";
    default:
      return outcome === undefined ? "not-applied" : "unknown";
  }
}
