/**
 * One node, seen from its owner: the life of its worker from start to kill or halt, and what is known of it.
 *
 * A worker has one life. What a former life still says is not heard, and a new life begins only after the old
 * worker, and its storage where that lives here, are over.
 */

import { bounded } from "./bounded.js";
import { closedError } from "./closed.js";
import { fromPlain, type QuorateError, quorateError } from "./errors.js";
import type { Json, KvReads } from "./kv/types.js";
import type { AnyMachine, MachineQueryOptions } from "./machine/types.js";
import type { CoreRule } from "./network.js";
import { nodeMetrics } from "./observe/picture.js";
import type { NodeMetrics, NodeMetricsView } from "./observe/types.js";
import type { Settings } from "./options.js";
import type { Platform, WorkerLink } from "./platform.js";
import type {
  Founder,
  FromWorker,
  HostStatus,
  LeaderRequest,
  MembersNow,
  Opened,
  ToWorker,
} from "./protocol.js";
import { serveStorage } from "./storage/remote.js";
import { Broadcast } from "./transport/broadcast-channel.js";
import { serveTransport } from "./transport/remote.js";
import type { Transport } from "./transport/transport.js";
import type {
  CallOptions,
  ClusterNode,
  MachineNode,
  NodeState,
  NodeStatus,
  NodeView,
  Role,
  TransportStatus,
} from "./types.js";

/** What a member tells its cluster. */
export interface MemberEvents {
  /** Its storage is open. A node that knows of no cluster waits for `begin`. */
  opened(member: Member): void;
  /** It hears nodes of other owners from now on. */
  listening?(member: Member): void;
  started(member: Member): void;
  stopped(member: Member, how: "killed" | "halted"): void;
  role(member: Member, role: Role, term: number, leader: number | null): void;
  progress(member: Member, commit: number, term: number): void;
  /** Reads that the node answers itself. */
  reads(member: Member): KvReads<Json>;
  queryOf(member: Member, query: unknown, options?: MachineQueryOptions): Promise<unknown>;
  membership(index: number, members: MembersNow): void;
  /** A node of another owner can be reached, or no longer. */
  peer?(node: number, isThere: boolean): void;
}

/** What a member is made of. */
export interface MemberParts {
  /** 0: the worker chooses. */
  readonly id: number;
  readonly settings: Settings;
  readonly module: WebAssembly.Module | BufferSource;
  readonly platform: Platform;
  readonly events: MemberEvents;
  /** To nodes of other owners. */
  readonly transport?: Transport;
  /** Its node is a tab's. */
  readonly tab?: boolean;
  /** The name of this owner, if it shares the node with others. */
  readonly owner?: string;
}

type StatusAnswer = FromWorker & { type: "status" };

/** One worker's life. */
interface Life {
  link?: WorkerLink;
  /** The storage that is served from here, once it is made: what ends it. */
  endStorage?: Promise<() => Promise<void>>;
  endTransport?: () => Promise<void>;
  opened: () => void;
  started: (error?: QuorateError) => void;
  closed?: () => void;
  readonly asks: Map<
    number,
    { resolve(answer: StatusAnswer): void; reject(error: QuorateError): void }
  >;
  /** What the leader was asked to do. */
  readonly requests: Map<
    number,
    { resolve(index: number): void; reject(error: QuorateError): void }
  >;
}

export class Member implements ClusterNode, MachineNode<AnyMachine> {
  id: number;
  state: NodeState = "killed";
  reason: QuorateError | undefined;
  /** What the node last said of its role; undefined while it does not run. */
  role: { readonly role: Role; readonly term: number } | undefined;
  /** Whose storage it is, as soon as that is open. */
  identity: Opened | undefined;
  /** It was its owner who told it of its cluster when it last started. */
  founded = false;
  readonly #parts: MemberParts;
  #life: Life | undefined;
  #starting: Promise<void> | undefined;
  #opening: Promise<void> = Promise.resolve();
  /** The end of the former life. */
  #ended: Promise<void> = Promise.resolve();
  #lastStatus: NodeStatus | null = null;
  #nextAsk = 0;
  #starts = 0;
  #retired = false;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.id = parts.id;
  }

  get kv(): KvReads<Json> {
    return this.#parts.events.reads(this);
  }

  query(query: unknown, options?: MachineQueryOptions): Promise<unknown> {
    return this.#parts.events.queryOf(this, query, options);
  }

  start(): Promise<void> {
    if (this.#retired) return Promise.reject(closedError());
    this.#starting ??= this.#begin();
    return this.#starting;
  }

  async kill(): Promise<void> {
    this.#end(
      "killed",
      quorateError("NODE_KILLED", `node ${this.id} was killed`, { node: this.id }),
    );
    await this.#ended;
  }

  async status(options: CallOptions = {}): Promise<NodeStatus> {
    await this.#told(options, "status");
    return this.#lastStatus as NodeStatus;
  }

  /** All that the core says of itself. */
  async whole(options: CallOptions): Promise<HostStatus> {
    return (await this.#told(options, "status")).status;
  }

  async metrics(options: CallOptions = {}): Promise<NodeMetrics> {
    const { status, counts } = await this.#told(options, "metrics");
    return nodeMetrics(this.#parts.settings.name, this.id, status, counts);
  }

  /** The node as part of the cluster's metrics: nothing is counted where it does not run. */
  async metricsView(options: CallOptions): Promise<NodeMetricsView> {
    const running = this.state === "running";
    const metrics = running ? await this.metrics(options).catch(unlessAborted) : null;
    return { id: this.id, state: this.state, starts: this.#starts, metrics };
  }

  /** The node as part of the cluster's picture. */
  view(): NodeView {
    return Object.freeze({
      id: this.id,
      state: this.state,
      reason: this.reason,
      status: this.#lastStatus,
    });
  }

  /** Says something to the worker, if it runs. */
  tell(message: ToWorker, transfer?: Transferable[]): void {
    this.#life?.link?.post(message, transfer);
  }

  connectPeer(node: number, port: MessagePort, rule: CoreRule): void {
    this.tell({ type: "peer", node, port, rule }, [port]);
  }

  /** Lets the node finish the write under way, then ends its worker for good. */
  async retire(): Promise<void> {
    this.#retired = true;
    const life = this.#life;
    if (life !== undefined && this.state === "running") {
      this.tell({ type: "close" });
      await waitAtMost(CLOSE_MS, closed(life));
    }
    this.#end("killed", closedError());
    await this.#ended;
  }

  async #begin(): Promise<void> {
    this.state = "starting";
    this.reason = undefined;
    this.identity = undefined;
    let life!: Life;
    let opened!: () => void;
    this.#opening = new Promise((resolve) => {
      opened = resolve;
    });
    const started = new Promise<void>((resolve, reject) => {
      life = {
        opened,
        asks: new Map(),
        requests: new Map(),
        started: (error) => (error === undefined ? resolve() : reject(error)),
      };
    });
    this.#life = life;
    const timer = setTimeout(
      () => this.#halt(life, failed(this.id, `did not start within ${START_MS} ms`)),
      START_MS,
    );
    this.#launch(life).catch((error: unknown) => this.#halt(life, asError(error, this.id)));
    try {
      await started;
    } finally {
      clearTimeout(timer);
    }
  }

  async #launch(life: Life): Promise<void> {
    const { id, settings, module, platform } = this.#parts;
    await this.#ended;
    if (this.#life !== life) return;
    const link = await platform.spawn(id, settings.createWorker, {
      message: (message) => {
        if (this.#life === life) this.#receive(life, message);
        else if (message.type === "closed") life.closed?.();
      },
      failed: (error) => this.#halt(life, error),
    });
    life.link = link;
    // Killed meanwhile: #end could not know the worker.
    if (this.#life !== life) return void (await link.terminate());
    const transfer: Transferable[] = [];
    const storage = await this.#storage(life, transfer);
    if (this.#life !== life) return;
    link.post(
      {
        type: "start",
        module,
        cluster: settings.name,
        node: id,
        electionMs: settings.electionMs,
        heartbeatMs: settings.heartbeatMs,
        leaseReads: settings.leaseReads,
        relaxed: settings.relaxed,
        storage,
        observe: settings.observe.orders,
        sharded: settings.sharded,
        ...(settings.machine !== undefined && { machine: settings.machine }),
        ...(settings.snapshotEntries !== undefined && {
          snapshotEntries: settings.snapshotEntries,
        }),
        ...this.#transport(life, transfer),
      },
      transfer,
    );
  }

  #transport(
    life: Life,
    transfer: Transferable[],
  ): Pick<ToWorker & { type: "start" }, "transport" | "tab" | "owner"> {
    const { id, settings, transport, tab = false, owner } = this.#parts;
    if (transport === undefined) return {};
    if (transport instanceof Broadcast)
      return { transport: { kind: "broadcastChannel" }, tab, ...(owner && { owner }) };
    const { port1, port2 } = new MessageChannel();
    life.endTransport = serveTransport(port1, transport, { cluster: settings.name, node: id });
    transfer.push(port2);
    return { transport: { kind: "port", port: port2 }, tab };
  }

  async #storage(
    life: Life,
    transfer: Transferable[],
  ): Promise<(ToWorker & { type: "start" })["storage"]> {
    const { id, settings } = this.#parts;
    const choice = settings.storage;
    switch (choice.kind) {
      case "indexeddb":
        return { kind: "indexeddb" };
      case "directory":
        return { kind: "directory", path: `${choice.path}/node-${id}` };
      case "factory": {
        const { port1, port2 } = new MessageChannel();
        const make = async () => serveStorage(port1, await choice.make(settings.name, id));
        life.endStorage = make();
        await life.endStorage;
        transfer.push(port2);
        return { kind: "port", port: port2 };
      }
    }
  }

  #receive(life: Life, message: FromWorker): void {
    const { events } = this.#parts;
    switch (message.type) {
      case "hello":
        return;
      case "opened":
        this.identity = message;
        this.id = message.node;
        events.opened(this);
        life.opened();
        return;
      case "membership":
        events.membership(message.index, message.members);
        return;
      case "answered": {
        const { request, index, error } = message;
        if (error === undefined) life.requests.get(request)?.resolve(index);
        else life.requests.get(request)?.reject(fromPlain(error, this.id));
        life.requests.delete(request);
        return;
      }
      case "listening":
        events.listening?.(this);
        return;
      case "started":
        this.state = "running";
        this.founded = message.founded;
        this.#starts++;
        life.started();
        events.started(this);
        return;
      case "halted":
        this.#end("halted", fromPlain(message.error, this.id), message.closing);
        return;
      case "role":
        this.role = { role: message.role, term: message.term };
        events.role(this, message.role, message.term, message.leader);
        return;
      case "progress":
        events.progress(this, message.commit, message.term);
        return;
      case "status":
        life.asks.get(message.request)?.resolve(message);
        life.asks.delete(message.request);
        return;
      case "debug":
        this.#parts.settings.observe.hear(message.entries);
        this.tell({ type: "heard" });
        return;
      case "closed":
        life.closed?.();
        return;
      case "peerUp":
      case "peerDown":
        events.peer?.(message.node, message.type === "peerUp");
        return;
    }
  }

  /** What the node answers within the call's time. */
  #told(options: CallOptions, what: string): Promise<StatusAnswer> {
    const { deadlineMs } = this.#parts.settings;
    return bounded(options, deadlineMs, `node ${this.id} gave no ${what}`, () => this.#ask());
  }

  async #ask(): Promise<StatusAnswer> {
    if (this.state === "starting") await this.#starting;
    const life = this.#life;
    if (life === undefined || this.state !== "running") throw this.#absent();
    const request = this.#nextAsk++;
    const answer = await new Promise<StatusAnswer>((resolve, reject) => {
      life.asks.set(request, { resolve, reject });
      this.tell({ type: "status", request });
    });
    this.#lastStatus = picture(this.id, answer.status, answer.transport);
    return answer;
  }

  /** Resolves when the storage is open, or cannot be opened. */
  opened(): Promise<void> {
    return this.#opening;
  }

  /** Has the node, as leader, do something; the index of its entry. Rejects if it does not take it. */
  ask(what: LeaderRequest): Promise<number> {
    const life = this.#life;
    if (life === undefined || this.state !== "running") return Promise.reject(this.#absent());
    const request = this.#nextAsk++;
    return new Promise((resolve, reject) => {
      life.requests.set(request, { resolve, reject });
      this.tell({ type: "ask", request, ...what });
    });
  }

  /** Tells a node that knows of none its cluster. */
  begin(cluster: string, founders: readonly Founder[]): void {
    this.tell({ type: "begin", cluster, founders });
  }

  /** Stops a node whose storage must not be used. */
  refuse(reason: QuorateError): void {
    this.#end("halted", reason);
  }

  #absent(): QuorateError {
    if (this.#retired) return closedError();
    if (this.state === "killed") {
      return quorateError("NODE_KILLED", `node ${this.id} is killed; start() brings it back`, {
        node: this.id,
      });
    }
    return quorateError(
      "NODE_HALTED",
      `node ${this.id} halted: ${this.reason?.message ?? "it stopped"}`,
      {
        node: this.id,
        cause: this.reason,
      },
    );
  }

  #halt(life: Life, reason: QuorateError): void {
    if (this.#life === life) this.#end("halted", reason);
  }

  #end(how: "killed" | "halted", reason: QuorateError, closing = false): void {
    const life = this.#life;
    if (life === undefined) {
      // A halted node can be declared killed; nothing runs either way.
      if (how === "killed") {
        this.state = how;
        this.reason = undefined;
      }
      return;
    }
    this.#life = undefined;
    this.#starting = undefined;
    this.role = undefined;
    this.state = how;
    this.reason = how === "halted" ? reason : undefined;
    life.opened();
    life.started(reason);
    life.closed?.();
    this.#ended = endLife(life, closing);
    for (const ask of life.asks.values()) ask.reject(reason);
    for (const ask of life.requests.values()) ask.reject(this.#absent());
    this.#parts.events.stopped(this, how);
  }
}

async function endLife(life: Life, closing: boolean): Promise<void> {
  // WebKit never deletes a database whose last transaction was under way when its worker was terminated.
  if (closing) await waitAtMost(CLOSE_MS, closed(life));
  await life.link?.terminate();
  // A transport that never ends keeps nobody waiting.
  if (life.endTransport !== undefined) await waitAtMost(CLOSE_MS, life.endTransport());
  if (life.endStorage === undefined) return;
  // A storage that fails to end, or takes too long, has nothing more to say to a node that is gone.
  const ended = life.endStorage.then((end) => end());
  await waitAtMost(
    CLOSE_MS,
    ended.catch(() => {}),
  );
}

/** The worker has let go of everything. */
function closed(life: Life): Promise<void> {
  return new Promise((resolve) => {
    life.closed = resolve;
  });
}

async function waitAtMost(ms: number, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, end]);
  clearTimeout(timer);
}

function picture(
  id: number,
  { groups, peers, storage }: HostStatus,
  transport: TransportStatus | undefined,
): NodeStatus {
  const group = groups[0];
  if (group === undefined) throw failed(id, "told nothing of its group");
  return Object.freeze({
    id,
    role: group.role,
    term: group.term,
    vote: group.vote,
    leader: group.leader,
    commit: group.commit,
    applied: group.applied,
    last: group.lastIndex,
    lastTerm: group.lastTerm,
    persisted: group.persisted,
    logStart: group.logStart,
    snapshot: group.snapshotIndex,
    logBytes: group.logBytes,
    storage: { rounds: storage.rounds, records: storage.records, bytes: storage.bytes },
    keys: group.keys,
    revision: group.revision,
    sessions: group.sessions,
    waiting: group.waiting,
    droppedFrames: peers.reduce((sum, peer) => sum + peer.droppedFrames, 0),
    rejectedFrames: peers.reduce((sum, peer) => sum + peer.rejectedFrames, 0),
    transport: transport ?? null,
    peers: group.peers,
    members: group.members,
    membersIndex: group.membersIndex,
    transferring: group.transferring,
  });
}

/** A node that stops, or does not answer in time, has nothing to say; a caller who ended the call wants no answer. */
function unlessAborted(error: QuorateError): null {
  if (error.code === "ABORTED") throw error;
  return null;
}

function failed(node: number, what: string): QuorateError {
  return quorateError("WORKER_FAILED", `the worker of node ${node} ${what}`, { node });
}

function asError(error: unknown, node: number): QuorateError {
  return error instanceof Error && "code" in error && "retryable" in error
    ? (error as QuorateError)
    : quorateError("WORKER_FAILED", `node ${node} could not be started: ${String(error)}`, {
        node,
        cause: error,
      });
}

/** A start takes at most this long, storage included. */
const START_MS = 30_000;
/** A clean end takes at most this long; then the worker is terminated as it stands. */
const CLOSE_MS = 2_000;
