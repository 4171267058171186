/** What an owner of nodes does with their group as a whole: asks its machine, waits for its leader, hears of it, closes. */

import { bounded } from "./bounded.js";
import { Calls } from "./calls.js";
import { closedError } from "./closed.js";
import type { Core } from "./core.js";
import type { QuorateError } from "./errors.js";
import { Events } from "./events.js";
import { kvStore } from "./kv/store.js";
import type { Json, Kv } from "./kv/types.js";
import { lateError, type Quorum } from "./late.js";
import { execute, noMachine, noStore, query } from "./machine/calls.js";
import type { MachineQueryOptions } from "./machine/types.js";
import type { Settings } from "./options.js";
import type { CallOptions, ClusterEvents } from "./types.js";

export class Access<E extends Partial<ClusterEvents> & Pick<ClusterEvents, "leaderchange">> {
  readonly calls: Calls;
  readonly events = new Events<E>();
  readonly #core: Core;
  readonly #settings: Settings;
  readonly #quorum: () => Quorum;
  /** None where the machine is the caller's own. */
  readonly #kv: Kv<Json> | undefined;
  #leader: { readonly leader: number | null; readonly term: number } = { leader: null, term: 0 };
  /** Wakes those who wait for a leader. */
  readonly #leaderless = new Set<() => void>();
  #closing: Promise<void> | undefined;

  /** `nodes` are expected to be connected to `calls`. */
  constructor(core: Core, settings: Settings, nodes: number[], quorum: () => Quorum) {
    this.#core = core;
    this.#settings = settings;
    this.#quorum = quorum;
    this.calls = this.callsTo(nodes, settings.leaseReads ? "lease" : "leader");
    if (settings.machine === undefined && !settings.sharded) this.#kv = kvStore(this.calls);
  }

  /** Calls of another way to read. */
  callsTo(nodes: number[], readAt: "here" | "lease" | "leader"): Calls {
    const { Client } = this.#core.glue;
    return new Calls(
      this.#core,
      this.#settings.deadlineMs,
      this.#quorum,
      (handler) => new Client({ nodes, readAt }, handler),
    );
  }

  get kv(): Kv<Json> {
    if (this.#kv === undefined) throw noStore();
    return this.#kv;
  }

  async execute(command: unknown, options?: CallOptions): Promise<unknown> {
    this.#assertMachine();
    return execute(this.calls, command, options);
  }

  async query(
    question: unknown,
    options?: MachineQueryOptions,
    calls = () => this.calls,
  ): Promise<unknown> {
    this.#assertMachine();
    return query(calls(), question, options);
  }

  #assertMachine(): void {
    if (this.#settings.machine === undefined) throw noMachine();
  }

  /** Who leads, as far as is known, and in which term. */
  get leading(): { readonly leader: number | null; readonly term: number } {
    return this.#leader;
  }

  /** Who leads now. Whether that is news, which listeners have heard then. */
  lead(leader: number | null, term: number): boolean {
    if (leader === this.#leader.leader && (leader === null || term === this.#leader.term))
      return false;
    this.#leader = { leader, term: Math.max(term, this.#leader.term) };
    // Calls that wait for a leader would else find it out after a pause.
    if (leader !== null) this.calls.leads(leader);
    this.events.emit("leaderchange", this.#leader);
    this.#wake();
    return true;
  }

  async leader(options: CallOptions = {}): Promise<number> {
    this.assertOpen();
    let wake = () => {};
    const elected = async () => {
      while (this.#leader.leader === null) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          this.#leaderless.add(wake);
        });
        this.#leaderless.delete(wake);
        this.assertOpen();
      }
      return this.#leader.leader;
    };
    try {
      return await bounded(options, this.#settings.deadlineMs, "no leader was elected", elected);
    } catch (error) {
      const { code, message } = error as QuorateError;
      throw code === "TIMEOUT" ? lateError(this.#quorum(), message, "not-applied") : error;
    } finally {
      this.#leaderless.delete(wake);
    }
  }

  #wake(): void {
    for (const wake of this.#leaderless) wake();
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  assertOpen(): void {
    if (this.isClosed) throw closedError();
  }

  /** Ends all calls, and then the rest. Once. */
  close(rest: () => Promise<void>): Promise<void> {
    if (this.#closing === undefined) {
      let end!: (work: Promise<void>) => void;
      this.#closing = new Promise((resolve) => {
        end = resolve;
      });
      this.#wake();
      // Whoever is told of it, as of a lock that is lost, may close again.
      this.calls.close();
      end(rest());
    }
    return this.#closing;
  }
}
