/** The leases of a backup that is being imported: each is kept alive until all is there, and then has its whole time. */

import { QuorateError, quorateError } from "../errors.js";
import type { Kv } from "../kv/types.js";
import type { CallOptions } from "../types.js";

/** A lease as it is in the store. */
interface Granted {
  readonly id: number;
  readonly ttl: number;
  /** When its last sign of life was given. */
  aliveAt: number;
}

export class Leases {
  readonly #kv: Kv<Uint8Array>;
  readonly #bounds: CallOptions;
  readonly #mayRename: boolean;
  /** By the id that the backup has. */
  readonly #granted = new Map<number, Granted>();

  /** `mayRename`: one whose id is taken gets another. */
  constructor(kv: Kv<Uint8Array>, bounds: CallOptions, mayRename: boolean) {
    this.#kv = kv;
    this.#bounds = bounds;
    this.#mayRename = mayRename;
  }

  async grant(id: number, ttl: number): Promise<void> {
    const aliveAt = performance.now();
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
    this.#granted.set(id, { id: lease.id, ttl, aliveAt });
  }

  /** Its id in the store. One that the backup does not have is one that the store does not have. */
  idOf(id: number): number {
    return this.#granted.get(id)?.id ?? id;
  }

  /** Makes one again that can have ended. */
  async revive(id: number): Promise<void> {
    const lease = this.#granted.get(id);
    if (lease !== undefined && !(await this.#renew(lease))) await this.grant(id, lease.ttl);
  }

  /** Gives signs of life for those who had none for a third of their time. */
  async renewDue(): Promise<void> {
    const now = performance.now();
    await this.#renewThose(({ ttl, aliveAt }) => now - aliveAt > ttl / 3);
  }

  async renewAll(): Promise<void> {
    await this.#renewThose(() => true);
  }

  async #renewThose(which: (lease: Granted) => boolean): Promise<void> {
    const due = [...this.#granted.values()].filter(which);
    for (let at = 0; at < due.length; at += AT_ONCE)
      await Promise.all(due.slice(at, at + AT_ONCE).map((lease) => this.#renew(lease)));
  }

  /** Whether it lives. */
  async #renew(lease: Granted): Promise<boolean> {
    const aliveAt = performance.now();
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

const isCode = (error: unknown, code: string) =>
  error instanceof QuorateError && error.code === code;

/** Calls beside one another. */
const AT_ONCE = 64;
