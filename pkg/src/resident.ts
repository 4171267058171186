/**
 * One node of `Node.open`, in its worker: host and mesh, and what it does as leader of those whom nobody else looks after.
 */

import type { Host } from "../wasm/quorate_wasm.js";
import type { PlainError } from "./errors.js";
import { toPlain } from "./errors.js";
import type { Sighting } from "./keeper.js";
import { HELLO_MS, Mesh } from "./mesh.js";
import type { Founder, HostStatus, Identity, LeaderRequest } from "./protocol.js";
import { nextChange } from "./steward.js";
import type { Transport } from "./transport/transport.js";

/** What a resident tells its worker. */
export interface ResidentEvents {
  /** The node runs: it knows its cluster. `founded`: its owner told it, and nobody else. */
  begun(cluster: string, founded: boolean): void;
  up(node: number): void;
  down(node: number): void;
  failed(error: unknown): void;
}

export interface ResidentParts {
  readonly name: string;
  readonly node: number;
  readonly orphan: boolean;
  /** It runs a state machine of the user's own. */
  readonly machine: boolean;
  readonly host: Host;
  readonly transport: Transport;
  /** What is known of tabs; nothing if this is no tab. */
  readonly tabs?: () => Sighting | undefined;
  readonly events: ResidentEvents;
}

export class Resident {
  readonly node: number;
  readonly host: Host;
  readonly mesh: Mesh;
  readonly #parts: ResidentParts;
  #isBegun = false;
  /** Since when it leads, as far as it has looked. */
  #leads: number | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(parts: ResidentParts) {
    this.#parts = parts;
    this.node = parts.node;
    this.host = parts.host;
    const { name, node, orphan, machine, events } = parts;
    this.mesh = new Mesh(
      { name, node, orphan, machine },
      {
        cluster: (id) => void this.#begin(id, [], false).catch(events.failed),
        mismatch: () => events.failed(mismatch(name, machine)),
        up: (node) => {
          events.up(node);
          this.#lead();
        },
        down: events.down,
        asked: (request) => this.#obey(request),
      },
    );
  }

  /** Opens the way to the others, and begins if the storage knows of a cluster. */
  async open(): Promise<void> {
    const { storage, cluster } = this.host.identity() as Identity;
    await this.mesh.open(this.#parts.transport, this.host, storage, cluster);
    if (cluster !== null) this.#begun(cluster, false);
  }

  /** Tells the node its cluster, unless it has heard of one meanwhile. */
  begin(cluster: string, founders: readonly Founder[]): Promise<void> {
    return this.#begin(cluster, founders, true);
  }

  async #begin(cluster: string, founders: readonly Founder[], founded: boolean): Promise<void> {
    if (this.#isBegun) return;
    this.#isBegun = true;
    await this.host.begin(cluster, [...founders]);
    this.#begun(cluster, founded);
  }

  #begun(cluster: string, founded: boolean): void {
    this.#isBegun = true;
    this.mesh.begin(cluster);
    this.#timer = setInterval(() => this.#lead(), HELLO_MS / 2);
    this.#parts.events.begun(cluster, founded);
  }

  /** Has the leader, wherever it is, do something. */
  ask(request: LeaderRequest, answer: (index: number, error?: PlainError) => void): void {
    try {
      const { leader = null } = (this.host.status() as HostStatus).groups[0] ?? {};
      if (leader !== null && leader !== this.node) this.mesh.ask(leader, request, answer);
      else answer(this.#obey(request));
    } catch (error) {
      answer(0, toPlain(error, "NODE_HALTED"));
    }
  }

  #obey(request: LeaderRequest): number {
    if (request.what === "change") return this.host.changeMembers(0, [...request.changes]);
    this.host.transferLeadership(0, request.to);
    return 0;
  }

  /** As leader: takes in who has come, and sees to who has gone. */
  #lead(): void {
    if (!this.#isBegun) return;
    const status = this.#status();
    const now = this.mesh.look();
    if (status?.groups[0]?.role !== "leader") {
      this.#leads = undefined;
      return;
    }
    this.#leads ??= now;
    const { orphan, tabs } = this.#parts;
    const seen = { status, peers: this.mesh.peers, now, since: this.#leads, tabs: tabs?.() };
    const changes = nextChange({ node: this.node, orphan, ...seen });
    if (changes.length === 0) return;
    try {
      this.host.changeMembers(0, changes);
    } catch {
      // Refused: it looks again soon.
    }
  }

  /** Nothing from a node that has ended. */
  #status(): HostStatus | undefined {
    try {
      return this.host.status() as HostStatus;
    } catch {
      return undefined;
    }
  }

  /** Ends the node in order. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.mesh.close();
    await this.host.close();
  }
}

function mismatch(name: string, machine: boolean): PlainError {
  const [here, there] = machine ? ["a machine", "the store"] : ["the store", "a machine"];
  const message = `the nodes of the cluster ${name} run ${there}, and this one was to run ${here}`;
  return { code: "MACHINE_MISMATCH", message };
}
