/**
 * The leases of a backup that is being imported: each is kept alive until all is there, also while the source gives nothing,
 * and then has its whole time.
 */

import { now } from "../clock.js";
import { QuorateError, quorateError } from "../errors.js";
import type { Kv } from "../kv/types.js";
import type { CallOptions } from "../types.js";

/** A lease as it is in the store. */
interface Granted {
  readonly id: number;
  readonly ttl: number;
  /** When its last sign of life was given. */
  aliveAt: number;
  /** Whether keys hang on it: they are gone with it. */
  held: boolean;
}

export class Leases {
  readonly #kv: Kv<Uint8Array>;
  readonly #bounds: CallOptions;
  readonly #mayRename: boolean;
  /** By the id that the backup has. */
  readonly #granted = new Map<number, Granted>();
  #isKept = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** How often it is looked which leases are due: a quarter of the time of the shortest. */
  #pause = LOOK_MS;

  /** `mayRename`: one whose id is taken gets another. */
  constructor(kv: Kv<Uint8Array>, bounds: CallOptions, mayRename: boolean) {
    this.#kv = kv;
    this.#bounds = bounds;
    this.#mayRename = mayRename;
  }

  async grant(id: number, ttl: number): Promise<void> {
    const aliveAt = now();
    const grant = (name: { id?: number }) =>
      this.#kv.lease({ ttl, keepAlive: false, ...name, ...this.#bounds });
    let lease: { readonly id: number };
    try {
      lease = await grant({ id });
    } catch (error) {
      if (!isCode(error, "LEASE_EXISTS")) throw error;
      if (!this.#mayRename) {
        const message = `a backup is imported into an empty store, and there is a lease ${id}`;
        throw quorateError("STORE_NOT_EMPTY", message);
      }
      lease = await grant({});
    }
    this.#granted.set(id, { id: lease.id, ttl, aliveAt, held: false });
    if (ttl / 4 >= this.#pause) return;
    this.#pause = ttl / 4;
    this.#arm();
  }

  /** Its id in the store. One that the backup does not have is one that the store does not have. */
  idOf(id: number): number {
    return this.#granted.get(id)?.id ?? id;
  }

  /** Keys hang on it from now on. */
  hold(id: number): void {
    const lease = this.#granted.get(id);
    if (lease !== undefined) lease.held = true;
  }

  /** Makes one again that can have ended. Rejects with `LEASE_LOST` if it took keys along. */
  async revive(id: number): Promise<void> {
    const lease = this.#granted.get(id);
    if (lease === undefined || (await this.#renew(lease))) return;
    if (lease.held) throw lost(lease.id);
    await this.grant(id, lease.ttl);
  }

  /** Gives signs of life for those who had none for a third of their time, and for all at the end. */
  async renew(which: "due" | "all"): Promise<void> {
    const time = now();
    const due = [...this.#granted].filter(
      ([, { ttl, aliveAt }]) => which === "all" || time - aliveAt > ttl / 3,
    );
    for (let at = 0; at < due.length; at += AT_ONCE)
      await Promise.all(due.slice(at, at + AT_ONCE).map(([id]) => this.revive(id)));
  }

  /** Does the same by itself, until what this returns is called. What fails there comes up again in the import's own calls. */
  keepAlive(): () => void {
    this.#isKept = true;
    this.#arm();
    return () => {
      this.#isKept = false;
      clearTimeout(this.#timer);
    };
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (!this.#isKept) return;
    const again = () => this.#arm();
    this.#timer = setTimeout(
      () =>
        this.renew("due")
          .catch(() => {})
          .then(again),
      this.#pause,
    );
  }

  /** Whether it lives. */
  async #renew(lease: Granted): Promise<boolean> {
    const aliveAt = now();
    try {
      await this.#kv.renewLease(lease.id, this.#bounds);
    } catch (error) {
      if (isCode(error, "LEASE_NOT_FOUND")) return false;
      throw error;
    }
    lease.aliveAt = aliveAt;
    return true;
  }
}

function lost(id: number) {
  const message = `lease ${id} ended while the backup was imported, and took keys along: import it again`;
  return quorateError("LEASE_LOST", message);
}

const isCode = (error: unknown, code: string) =>
  error instanceof QuorateError && error.code === code;

/** Calls beside one another. */
const AT_ONCE = 64;
/** It is looked at least so often which leases are due. */
const LOOK_MS = 1_000;
