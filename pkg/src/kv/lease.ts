/** Leases that this process made, and keeps alive. */

import { checkBounds } from "../bounded.js";
import { integer, invalid, show } from "../check.js";
import { now, wallMs } from "../clock.js";
import { QuorateError, quorateError, withOutcome } from "../errors.js";
import { MAX_TTL_MS } from "../limits.js";
import type { CallOptions } from "../types.js";
import { expect } from "./reply.js";
import { flagOf } from "./selection.js";
import type { Lease, LeaseOptions } from "./types.js";
import * as wire from "./wire.js";

/** What a lease needs of its store. */
export interface LeaseHome {
  /** What its leases are known by. */
  readonly store: object;
  write(command: Uint8Array, options: CallOptions): Promise<wire.Reply>;
  /** Calls `hear` when no more can be written; what it returns takes that back. */
  onEnd(hear: (error: QuorateError) => void): () => void;
}

/** The id of a lease, however it was given; 0 is none. `store` is whose lease it must be. */
export function leaseId(lease: unknown, what: string, store: object): number {
  if (lease instanceof Held) {
    if (lease.isOf(store)) return lease.id;
    throw invalid(`${what} is one of another cluster, or of an earlier opening of this one`);
  }
  if (typeof lease !== "number" || !Number.isSafeInteger(lease) || lease < 0)
    throw invalid(`${what} must be a lease or its id, not ${show(lease)}`);
  return lease;
}

/** Makes a lease. */
export async function grantLease(
  home: LeaseHome,
  options: LeaseOptions,
  bounds: CallOptions,
): Promise<Lease> {
  const ttl = integer(options.ttl, '"ttl"', 1, MAX_TTL_MS);
  const id = options.id === undefined ? 0 : integer(options.id, '"id"', 1, Number.MAX_SAFE_INTEGER);
  const keepAlive = options.keepAlive === undefined || flagOf(options.keepAlive, '"keepAlive"');
  let began = clocks();
  const granted = expect(await home.write(wire.leaseGrant(id, ttl), bounds), "lease");
  if (passed(began) > ttl / SIGNS) {
    // It lives, and much of its time may be gone: it waited for a leader, for example.
    began = clocks();
    try {
      await home.write(wire.leaseKeepAlive(granted.id), bounds);
    } catch (error) {
      throw error instanceof QuorateError ? withOutcome(error, "applied") : error;
    }
  }
  return new Held(home, granted.id, ttl, keepAlive, began);
}

/** Two clocks: the steady one may stand still while a computer sleeps, the other one may be set. */
interface Clocks {
  readonly steady: number;
  readonly wall: number;
}

const clocks = (): Clocks => ({ steady: now(), wall: wallMs() });

/** How many milliseconds passed, by the clock that says more. */
function passed(since: Clocks): number {
  const { steady, wall } = clocks();
  // The other one says nothing where it has failed.
  return Math.max(steady - since.steady, wall - since.wall || 0);
}

/** The longest that a call may take, and that a timer is set for. */
const WAIT_MAX_MS = 86_400_000;

class Held implements Lease {
  readonly id: number;
  readonly ttl: number;
  readonly #home: LeaseHome;
  readonly #keepAlive: boolean;
  readonly #lost = new AbortController();
  /** When the last sign of life that was confirmed had been sent: it lives a `ttl` from then at least. */
  #alive: Clocks;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #deaf = () => {};

  constructor(home: LeaseHome, id: number, ttl: number, keepAlive: boolean, began: Clocks) {
    this.#home = home;
    this.id = id;
    this.ttl = ttl;
    this.#keepAlive = keepAlive;
    this.#alive = began;
    // No timer outlives the store.
    this.#deaf = home.onEnd((error) => this.#lose("no more signs of life can be given", error));
    this.#watch();
  }

  isOf(store: object): boolean {
    return this.#home.store === store;
  }

  get lost(): AbortSignal {
    // Nobody may be woken before the clocks were looked at.
    if (!this.#lost.signal.aborted && this.#left() <= 0)
      this.#lose("no sign of life was confirmed");
    return this.#lost.signal;
  }

  async renew(options: CallOptions = {}): Promise<number> {
    const began = clocks();
    try {
      await this.#home.write(wire.leaseKeepAlive(this.id), options);
    } catch (error) {
      if (error instanceof QuorateError && error.code === "LEASE_NOT_FOUND")
        this.#lose("the store has ended it", error);
      throw error;
    }
    if (began.steady > this.#alive.steady) this.#alive = began;
    this.#watch();
    return Math.max(0, this.#left());
  }

  async revoke(options: CallOptions = {}): Promise<void> {
    checkBounds(options);
    this.#lose("it was revoked");
    try {
      await this.#home.write(wire.leaseRevoke(this.id), options);
    } catch (error) {
      if (!(error instanceof QuorateError && error.code === "LEASE_NOT_FOUND")) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.revoke({ timeout: Math.min(this.ttl, DISPOSE_MS) });
    } catch (error) {
      if (!(error instanceof QuorateError)) throw error;
    }
  }

  /** How many milliseconds it lives at least. */
  #left(): number {
    return this.ttl - passed(this.#alive);
  }

  /** Gives signs of life while it lives, and looks for its end. */
  #watch(): void {
    if (this.#lost.signal.aborted) return;
    clearTimeout(this.#timer);
    const left = this.#left();
    if (left <= 0) {
      this.#lose("no sign of life was confirmed");
      return;
    }
    const pause = this.#keepAlive ? Math.min(left, this.ttl / SIGNS) : left;
    this.#timer = setTimeout(() => void this.#beat(), Math.min(pause, WAIT_MAX_MS));
  }

  async #beat(): Promise<void> {
    const left = this.#left();
    if (left > 0 && this.#keepAlive) {
      try {
        await this.renew({ timeout: Math.ceil(Math.min(left, WAIT_MAX_MS)) });
        return;
      } catch (error) {
        if (error instanceof QuorateError && !error.retryable) {
          this.#lose("no more signs of life can be given", error);
          return;
        }
      }
    }
    this.#watch();
  }

  #lose(why: string, cause?: unknown): void {
    clearTimeout(this.#timer);
    this.#deaf();
    if (this.#lost.signal.aborted) return;
    this.#lost.abort(quorateError("LEASE_LOST", `lease ${this.id} is lost: ${why}`, { cause }));
  }
}

/** Signs of life in each `ttl`. */
const SIGNS = 3;
/** How long a lease that goes out of scope tries to tell the store. */
const DISPOSE_MS = 5_000;
