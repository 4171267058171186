/**
 * One node in a `SharedWorker`, and the pages that own it together. Each of them speaks as if it were the only one: numbers
 * that two could give alike are exchanged, and what a late one has missed is told again.
 */

import type { FromWorker, ToWorker } from "./protocol.js";
import { ownerLock } from "./tab.js";
import { runWorker, type WorkerGlue } from "./worker-main.js";

/** What is used of a port. */
interface OwnerPort {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  close(): void;
}

interface Owner {
  readonly port: OwnerPort;
  /** Clients of its page, by the numbers that it gave. */
  readonly clients: Map<number, number>;
  /** Those of other nodes, by the node: the last for each. */
  readonly far: Map<number, number>;
}

/** Serves the pages that connect. `end` ends the worker. */
export function serveOwners(
  glue: WorkerGlue,
  end: () => void,
): {
  join(port: OwnerPort): void;
  /** Something went wrong of which nobody knows what it concerns: all are told, and the worker ends. */
  fail(message: string): void;
} {
  const hubs = new Map<string, Hub>();
  const fail = (message: string) => {
    for (const hub of hubs.values()) hub.fail(message);
    end();
  };
  const join = (port: OwnerPort) => {
    let hub: Hub | undefined;
    port.onmessage = ({ data }) => {
      if (data.type !== "start") return hub?.receive(port, data);
      const { cluster } = data;
      hub = hubs.get(cluster);
      if (hub === undefined) {
        const fresh = new Hub(
          glue,
          () => hubs.get(cluster) === fresh && void hubs.delete(cluster),
          end,
        );
        hubs.set(cluster, fresh);
        hub = fresh;
      }
      hub.join(port, data);
    };
    port.postMessage({ type: "hello" });
  };
  return { join, fail };
}

class Hub {
  readonly #over: () => void;
  readonly #end: () => void;
  readonly #owners = new Map<OwnerPort, Owner>();
  readonly #requests = new Map<number, { readonly port: OwnerPort; readonly request: number }>();
  /** What tells a late owner how things are, by what it is about. */
  readonly #story = new Map<string, FromWorker>();
  readonly #receive: (message: ToWorker) => void;
  /** What the node runs. */
  #machine: string | undefined;
  #next = 1;

  constructor(glue: WorkerGlue, over: () => void, end: () => void) {
    this.#over = over;
    this.#end = end;
    this.#receive = runWorker({ glue, post: (message) => this.#post(message) });
  }

  join(port: OwnerPort, start: ToWorker & { type: "start" }): void {
    const isFirst = this.#owners.size === 0;
    if (isFirst) this.#machine = start.machine;
    else if (this.#machine !== start.machine) {
      port.postMessage(OTHER_MACHINE);
      return;
    }
    this.#owners.set(port, { port, clients: new Map(), far: new Map() });
    for (const message of this.#story.values()) port.postMessage(message);
    if (isFirst) this.#receive(start);
    // A page that ends says nothing, but its lock is free then.
    const { owner, cluster } = start;
    if (owner !== undefined)
      navigator.locks.request(ownerLock(cluster, owner), { mode: "shared" }, () =>
        this.#leave(port),
      );
  }

  receive(port: OwnerPort, message: ToWorker): void {
    const owner = this.#owners.get(port);
    if (owner === undefined) return;
    switch (message.type) {
      case "status":
      case "ask": {
        const request = this.#next++;
        this.#requests.set(request, { port, request: message.request });
        this.#receive({ ...message, request });
        return;
      }
      case "client":
      case "far": {
        const client = this.#next++;
        if (message.type === "client") owner.clients.set(message.client, client);
        else owner.far.set(message.node, client);
        this.#receive({ ...message, client });
        return;
      }
      case "clientGone": {
        const client = owner.clients.get(message.client);
        if (client !== undefined) this.#receive({ ...message, client });
        return;
      }
      case "close":
        this.#leave(port);
        port.postMessage({ type: "closed" });
        return;
      case "begin":
      case "peer":
      case "peerGone":
      case "link":
      case "start":
        this.#receive(message);
        return;
    }
  }

  fail(message: string): void {
    this.#post({ type: "halted", error: { code: "WORKER_FAILED", message } });
  }

  #leave(port: OwnerPort): void {
    const owner = this.#owners.get(port);
    if (owner === undefined) return;
    this.#owners.delete(port);
    for (const client of [...owner.clients.values(), ...owner.far.values()])
      this.#receive({ type: "clientGone", client });
    for (const [request, asked] of this.#requests)
      if (asked.port === port) this.#requests.delete(request);
    if (this.#owners.size > 0) return;
    this.#over();
    this.#receive({ type: "close" });
  }

  #post(message: FromWorker): void {
    switch (message.type) {
      case "hello":
        return;
      case "status":
      case "answered": {
        const asked = this.#requests.get(message.request);
        this.#requests.delete(message.request);
        asked?.port.postMessage({ ...message, request: asked.request });
        return;
      }
      case "peerUp":
        this.#story.set(`peer ${message.node}`, message);
        break;
      case "peerDown":
        this.#story.delete(`peer ${message.node}`);
        break;
      case "halted":
        this.#over();
        break;
      case "started": {
        const opened = this.#story.get("opened");
        if (opened?.type === "opened") this.#story.set("opened", { ...opened, isFirst: false });
        // Not by a page that comes later.
        this.#story.set("started", { ...message, founded: false });
        break;
      }
      case "opened":
      case "role":
      case "progress":
      case "membership":
        this.#story.set(message.type, message);
        break;
    }
    for (const { port } of this.#owners.values()) port.postMessage(message);
    // The core is not to be entered again; the next page that asks gets another worker.
    if (message.type === "halted" && message.error.code === "NODE_PANICKED") this.#end();
  }
}

const OTHER_MACHINE: FromWorker = {
  type: "halted",
  error: {
    code: "MACHINE_MISMATCH",
    message: "the shared worker's node runs another machine for another page",
  },
};
