/** One node, inside its worker: the core, its ports and its storage. The same for browsers and Node. */

import type { Host } from "../wasm/quorate_wasm.js";
import type { Loading } from "./core.js";
import { type ErrorCode, type PlainError, quorateError, toPlain } from "./errors.js";
import { Keeper } from "./keeper.js";
import type { Adapter } from "./machine/adapter.js";
import { loadMachine } from "./machine/load.js";
import type { Observer } from "./observe/observer.js";
import { observerOf } from "./observe/orders.js";
import type { FromWorker, HostEvent, HostStatus, Identity, ToWorker } from "./protocol.js";
import { Resident } from "./resident.js";
import type { CheckedStorage } from "./storage/directory.js";
import { remoteStorage } from "./storage/remote.js";
import type { Storage } from "./storage/storage.js";
import { census, claim, isOurs, show } from "./tab.js";
import { Broadcast } from "./transport/broadcast-channel.js";
import { remoteTransport } from "./transport/remote.js";

/** What a worker calls of the WebAssembly. */
export interface WorkerGlue
  extends Loading,
    Pick<typeof import("../wasm/quorate_wasm.js"), "Host"> {
  /** Makes the machine, where it comes with the worker. */
  readonly loadMachine?: typeof loadMachine;
}

/** What differs between workers. */
export interface WorkerScope {
  readonly glue: WorkerGlue;
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
  let unclaim: () => void = () => {};
  const over = new AbortController();

  const halt = (error: unknown, fallback: ErrorCode) => {
    if (ended) return;
    ended = true;
    founded();
    const plain = toPlain(error, fallback);
    observer?.halted(plain.message);
    // After a panic the core is not to be entered again.
    const closing = plain.code !== "NODE_PANICKED";
    scope.post({ type: "halted", error: plain, closing });
    if (closing) void letGo();
    else vacate();
  };
  const vacate = () => {
    over.abort();
    unclaim();
  };
  /** Ends the nodes in order, and lets others in. The owner ends this worker then, unless others share it. */
  const letGo = async () => {
    try {
      await keeper?.close();
      await (resident ?? (await host))?.close();
    } catch {
      // It has not opened, or fails as it ends: what is durable is durable.
    }
    vacate();
    scope.post({ type: "closed" });
  };
  /** The node's work comes in order, once the host is open. */
  const use = (work: (host: Host) => void | Promise<void>) => {
    host
      ?.then((open) => (ended ? undefined : work(open)))
      .catch((error: unknown) => halt(error, "WORKER_FAILED"));
  };
  /** Only then it has peers, and the owner tells it of each what rule there is. */
  let isRunning = false;
  let founded: () => void = () => {};
  const foundation = new Promise<void>((resolve) => {
    founded = resolve;
  });
  const begun = (byOwner: boolean) => {
    isRunning = true;
    founded();
    observer?.tracer?.started();
    scope.post({ type: "started", founded: byOwner });
  };
  /** The node's part in a cluster whose nodes have several owners. */
  let resident: Resident | undefined;
  let keeper: Keeper | undefined;
  const introduce = (open: Host, message: Start, isFirst: boolean) => {
    const identity = open.identity() as Identity;
    scope.post({ type: "opened", ...identity, node: message.node, isFirst });
    const { transport } = message;
    if (transport === undefined) {
      if (identity.cluster !== null) begun(false);
      return;
    }
    const appear = (cluster: string) => message.tab && show(message.cluster, cluster, over.signal);
    // Before another tab chooses.
    if (identity.cluster !== null) appear(identity.cluster);
    const hasMachine = message.machine !== undefined;
    const own = new Resident({
      name: message.cluster,
      node: message.node,
      orphan: false,
      machine: hasMachine,
      host: open,
      transport: transport.kind === "port" ? remoteTransport(transport.port) : new Broadcast(),
      tabs: () => keeper?.now,
      events: {
        begun: (cluster, byOwner) => {
          if (identity.cluster === null) appear(cluster);
          begun(byOwner);
        },
        up: (node) => ended || scope.post({ type: "peerUp", node }),
        down: (node) => ended || scope.post({ type: "peerDown", node }),
        failed: (error) => halt(error, "NODE_HALTED"),
      },
    });
    const adopt = async (node: number, failed: () => void) => {
      const parts = { machine: await machineOf(scope.glue, message.machine) };
      return new Resident({
        name: message.cluster,
        node,
        orphan: true,
        machine: hasMachine,
        host: await openHost(
          scope,
          message,
          node,
          parts,
          ({ type }) => type === "halted" && failed(),
        ),
        transport: new Broadcast(),
        tabs: () => keeper?.now,
        events: { begun() {}, up() {}, down() {}, failed },
      });
    };
    if (message.tab) keeper = new Keeper({ name: message.cluster, own, adopt });
    resident = own;
    own.open().then(
      () => ended || scope.post({ type: "listening" }),
      (error: unknown) => halt(error, "TRANSPORT_FAILED"),
    );
  };
  const start = async (message: Start) => {
    const probe = observerOf(message, (entries) => scope.post({ type: "debug", entries }));
    observer = probe;
    // Before anything is opened: a machine that does not load leaves nothing behind.
    const machine = await machineOf(scope.glue, message.machine);
    scope.glue.initSync({ module: message.module });
    scope.glue.setPanicHandler((text: string, place: string) =>
      halt(
        { code: "NODE_PANICKED", message: `the core panicked: ${text}`, place },
        "NODE_PANICKED",
      ),
    );
    const storage = openStorage(message.storage, scope, (error) => halt(error, "STORAGE_LOST"));
    return openHost(scope, message, message.node, { storage, machine, probe }, (event) => {
      // Of groups beside the first the owner asks when it wants to know.
      if ("group" in event && event.group > 0) return;
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
          probe.membership(event.index, event.members);
          return scope.post({ type: "membership", index: event.index, members: event.members });
        case "restored":
          return probe.restored(event.index);
        case "hosting":
        case "storageBlocked":
          return;
      }
    });
  };

  scope.post({ type: "hello" });
  return (message) => {
    switch (message.type) {
      case "start":
        host = new Promise((resolve, reject) => {
          const opened = (open: Host, placed: Start, isFirst: boolean) => {
            resolve(open);
            if (!ended) introduce(open, placed, isFirst);
          };
          const opening = async () => {
            const { cluster, tab, transport, storage } = message;
            const shape = tab ? "tabs" : transport === undefined ? "cluster" : "nodes";
            // Where nodes of a name meet by that: in its databases, or on its channels.
            if (storage.kind === "indexeddb" || transport?.kind === "broadcastChannel")
              unclaim = await claim(cluster, shape);
            if (!tab) return opened(await start(message), message, false);
            await census(cluster, async (node, isFirst, found) => {
              const placed = { ...message, node };
              const open = await start(placed);
              if (!isOurs(found, (open.identity() as Identity).cluster)) {
                await open.close();
                const what = "is of another cluster of this name than the one that tabs run";
                throw quorateError("STORAGE_FOREIGN", `the database of node ${node} ${what}`);
              }
              opened(open, placed, isFirst);
              // Who chooses next shall find a cluster.
              if (isFirst) await foundation;
            });
          };
          opening().catch(reject);
        });
        host.catch((error: unknown) => halt(error, "WORKER_FAILED"));
        return;
      case "begin":
        return use(async (host) => {
          if (resident !== undefined) return resident.begin(message.cluster, message.founders);
          await host.begin(message.cluster, [...message.founders]);
          if (!ended) begun(true);
        });
      case "ask":
        return use((host) => {
          const answer = (index: number, error?: PlainError) =>
            scope.post({
              type: "answered",
              request: message.request,
              index,
              ...(error && { error }),
            });
          if (resident !== undefined) return resident.ask(message, answer);
          try {
            let index = 0;
            if (message.what === "change") index = host.changeMembers(0, [...message.changes]);
            else host.transferLeadership(0, message.to);
            answer(index);
          } catch (error) {
            answer(0, toPlain(error, "NODE_HALTED"));
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
      case "far":
        return use(() => resident?.mesh.connectFar(message.node, message.client, message.port));
      case "clientGone":
        return use((host) => {
          if (!resident?.mesh.disconnectFar(message.client)) host.disconnectClient(message.client);
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
            ...(resident && { transport: resident.mesh.status() }),
            counts: (observer as Observer).counts(),
          }),
        );
      case "trace":
        return use(() => observer?.traceAs(message.on));
      case "heard":
        return observer?.log?.heard();
      case "close":
        // Who chooses next does not wait for what is not founded any more.
        founded();
        return use(() => {
          ended = true;
          void letGo();
        });
    }
  };
}

type Start = ToWorker & { type: "start" };

/** A machine of its own for each node, where the owner's is one of the user's. */
const machineOf = (glue: WorkerGlue, machine: string | undefined) =>
  machine === undefined ? undefined : (glue.loadMachine ?? loadMachine)(machine);

/** Opens a node as the owner's message says. */
function openHost(
  { glue }: WorkerScope,
  message: Start,
  node: number,
  parts: {
    readonly storage?: Storage | undefined;
    readonly machine: Adapter | undefined;
    readonly probe?: Observer;
  },
  hear: (event: HostEvent) => unknown,
): Promise<Host> {
  const { storage, machine, probe } = parts;
  return glue.Host.open(
    {
      cluster: message.cluster,
      node,
      electionTimeoutMs: message.electionMs,
      heartbeatIntervalMs: message.heartbeatMs,
      leaseReads: message.leaseReads,
      relaxed: message.relaxed,
      ...(probe === undefined ? {} : { probe }),
      ...(storage === undefined ? {} : { storage }),
      ...(machine === undefined ? {} : { machine }),
      ...(message.snapshotEntries === undefined
        ? {}
        : { snapshotEntries: message.snapshotEntries }),
      ...(message.sharded ? { sharded: true } : {}),
      // Who was found to be free is so at once, or somebody was quicker.
      ...(message.tab ? { lockWaitMs: LOCK_WAIT_MS } : {}),
    },
    hear,
  );
}

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

/** For a node that a tab chose. */
const LOCK_WAIT_MS = 300;
/** How often an idle node looks whether its storage is still its own. */
const CHECK_MS = 1_000;
