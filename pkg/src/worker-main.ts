/** One node, inside its worker: the core, its ports and its storage. The same for browsers and Node. */

import { Host, initSync, setPanicHandler } from "../wasm/quorate_wasm.js";
import { type ErrorCode, toPlain } from "./errors.js";
import { loadMachine } from "./machine/load.js";
import type { Observer } from "./observe/observer.js";
import { observerOf } from "./observe/orders.js";
import type { FromWorker, HostStatus, Identity, ToWorker } from "./protocol.js";
import type { CheckedStorage } from "./storage/directory.js";
import { remoteStorage } from "./storage/remote.js";
import type { Storage } from "./storage/storage.js";

/** What differs between a browser's worker and Node's. */
export interface WorkerScope {
  post(message: FromWorker): void;
  /** Opens storage in a directory; absent where there are none. */
  readonly directory?: (path: string) => CheckedStorage;
}

/** Takes the owner's messages. Says `hello` first. */
export function runWorker(scope: WorkerScope): (message: ToWorker) => void {
  let host: Promise<Host> | undefined;
  let observer: Observer | undefined;
  /** Set once nothing more may be said: the node halted, or the core is not to be entered again. */
  let ended = false;

  const halt = (error: unknown, fallback: ErrorCode) => {
    if (ended) return;
    ended = true;
    const plain = toPlain(error, fallback);
    observer?.halted(plain.message);
    scope.post({ type: "halted", error: plain });
  };
  /** The node's work comes in order, once the host is open. */
  const use = (work: (host: Host) => void | Promise<void>) => {
    host
      ?.then((open) => (ended ? undefined : work(open)))
      .catch((error: unknown) => halt(error, "WORKER_FAILED"));
  };
  /** Only then it has peers, and the owner tells it of each what rule there is. */
  let isRunning = false;
  const begun = () => {
    isRunning = true;
    observer?.tracer?.started();
    scope.post({ type: "started" });
  };
  const start = async (message: ToWorker & { type: "start" }) => {
    const seen = observerOf(message, (entries) => scope.post({ type: "debug", entries }));
    observer = seen;
    // Before anything is opened: a machine that does not load leaves nothing behind.
    const machine = message.machine === undefined ? undefined : await loadMachine(message.machine);
    initSync({ module: message.module });
    setPanicHandler((text: string, place: string) =>
      halt(
        { code: "NODE_PANICKED", message: `the core panicked: ${text}`, place },
        "NODE_PANICKED",
      ),
    );
    const storage = openStorage(message.storage, scope, (error) => halt(error, "STORAGE_LOST"));
    return Host.open(
      {
        cluster: message.cluster,
        node: message.node,
        electionTimeoutMs: message.electionMs,
        heartbeatIntervalMs: message.heartbeatMs,
        leaseReads: message.leaseReads,
        probe: seen,
        ...(storage === undefined ? {} : { storage }),
        ...(machine === undefined ? {} : { machine }),
        ...(message.snapshotEntries === undefined
          ? {}
          : { snapshotEntries: message.snapshotEntries }),
      },
      (event: HostEvent) => {
        switch (event.type) {
          case "role":
            return scope.post({
              type: "role",
              role: event.role,
              term: event.term,
              leader: event.leader,
            });
          case "progress":
            return scope.post({ type: "progress", term: event.term, commit: event.commit });
          case "halted":
            return halt(event, "NODE_HALTED");
          case "membership":
            seen.membership(event.index, event.members);
            return scope.post({ type: "membership", index: event.index, members: event.members });
          case "restored":
            return seen.restored(event.index);
          case "storageBlocked":
            return;
        }
      },
    );
  };

  scope.post({ type: "hello" });
  return (message) => {
    switch (message.type) {
      case "start":
        host = start(message);
        host.then(
          (open) => {
            if (ended) return;
            const identity = open.identity() as Identity;
            scope.post({ type: "opened", ...identity });
            if (identity.cluster !== null) begun();
          },
          (error: unknown) => halt(error, "WORKER_FAILED"),
        );
        return;
      case "begin":
        return use(async (host) => {
          await host.begin(message.cluster, [...message.founders]);
          if (!ended) begun();
        });
      case "ask":
        return use((host) => {
          const { request } = message;
          try {
            let index = 0;
            if (message.what === "change") index = host.changeMembers(0, [...message.changes]);
            else host.transferLeadership(0, message.to);
            scope.post({ type: "answered", request, index });
          } catch (error) {
            scope.post({
              type: "answered",
              request,
              index: 0,
              error: toPlain(error, "NODE_HALTED"),
            });
          }
        });
      case "peer":
        return use((host) => {
          host.setLink(message.node, message.rule);
          host.connectPeer(message.node, message.port);
        });
      case "peerGone":
        return use((host) => {
          if (isRunning) host.disconnectPeer(message.node);
        });
      case "client":
        return use((host) => host.connectClient(message.client, message.port));
      case "link":
        return use((host) => {
          if (isRunning) host.setLink(message.node, message.rule);
        });
      case "status":
        return use((host) =>
          scope.post({
            type: "status",
            request: message.request,
            status: host.status() as HostStatus,
            counts: (observer as Observer).counts(),
          }),
        );
      case "trace":
        return use(() => observer?.traceAs(message.on));
      case "heard":
        return observer?.log?.heard();
      case "close":
        return use((host) => {
          ended = true;
          const closed = () => scope.post({ type: "closed" });
          // The owner terminates this worker either way; what is durable is durable.
          host.close().then(closed, closed);
        });
    }
  };
}

/** What the host tells. */
type HostEvent =
  | Extract<FromWorker, { type: "role" | "progress" | "membership" }>
  | { readonly type: "restored"; readonly index: number }
  | { readonly type: "storageBlocked" }
  | {
      readonly type: "halted";
      readonly code: string;
      readonly message: string;
      readonly place?: string;
    };

function openStorage(
  where: (ToWorker & { type: "start" })["storage"],
  scope: WorkerScope,
  gone: (error: unknown) => void,
): Storage | undefined {
  switch (where.kind) {
    case "indexeddb":
      return undefined;
    case "port":
      return remoteStorage(where.port);
    case "directory": {
      if (scope.directory === undefined) throw new Error("there are no directories here");
      const storage = scope.directory(where.path);
      // A node that writes nothing would not notice.
      const timer = setInterval(() => {
        try {
          storage.check();
        } catch (error) {
          clearInterval(timer);
          gone(error);
        }
      }, CHECK_MS);
      return storage;
    }
  }
}

/** How often an idle node looks whether its storage is still its own. */
const CHECK_MS = 1_000;
