/** One node of a cluster whose other nodes belong to someone else, and what its owner sees of it. */

import { Access } from "./access.js";
import { abortedOpen, bounded } from "./bounded.js";
import type { Calls } from "./calls.js";
import { closedError } from "./closed.js";
import { disposable } from "./disposable.js";
import { type QuorateError, quorateError } from "./errors.js";
import { kvReads } from "./kv/store.js";
import type { Json, Kv, KvReads } from "./kv/types.js";
import { lateError, type Quorum } from "./late.js";
import { query } from "./machine/calls.js";
import type { AnyMachine, MachineQueries, MachineQueryOptions } from "./machine/types.js";
import { markOf } from "./mark.js";
import { Member, type MemberEvents } from "./member.js";
import { Membership } from "./membership.js";
import { randomName } from "./names.js";
import { type AnyNodeOptions, type NodeSettings, readNodeOptions } from "./node-options.js";
import type { Platform } from "./platform.js";
import type { MembersNow } from "./protocol.js";
import { onRest } from "./rest.js";
import { ownerLock, placeOf } from "./tab.js";
import type {
  CallOptions,
  ClusterListener,
  Leadership,
  NodeEvents,
  NodeFactory,
  NodeMembers,
  NodeState,
  NodeStatus,
  OwnNode,
  Role,
} from "./types.js";

/** `Node` on a platform. */
export function nodeFactory(platform: Platform): NodeFactory {
  disposable(LiveNode.prototype);
  // What is opened can do both; which of the two it is allowed is known by the option `machine`.
  return { open: (options: AnyNodeOptions) => openNode(platform, options) } as NodeFactory;
}

async function openNode(platform: Platform, options: AnyNodeOptions): Promise<LiveNode> {
  const settings = readNodeOptions(options, platform);
  const { signal } = settings;
  if (signal?.aborted) throw abortedOpen(signal);
  const module = await platform.loadModule(settings.wasm);
  platform.core.init(module);
  const shipped = settings.shared ? await platform.shared?.readModule(settings.wasm) : module;
  const node = new LiveNode(platform, settings, shipped ?? module);
  const abort = () => void node.close();
  signal?.addEventListener("abort", abort);
  try {
    if (signal?.aborted) throw abortedOpen(signal);
    await node.begin();
    return node;
  } catch (error) {
    await node.close();
    throw signal?.aborted ? abortedOpen(signal) : error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

class LiveNode implements OwnNode, MemberEvents {
  readonly cluster: string;
  /** Asks this node alone. */
  readonly here: KvReads<Json> | MachineQueries<AnyMachine>;
  readonly members: NodeMembers;
  readonly leadership: Leadership;
  origin: OwnNode["origin"] = "restored";
  #id: number;
  readonly #platform: Platform;
  readonly #settings: NodeSettings;
  /** For the worker. */
  readonly #module: WebAssembly.Module | BufferSource;
  readonly #access: Access<NodeEvents>;
  readonly #ownCalls: Calls;
  readonly #membership: Membership;
  #member: Member | undefined;
  #unlock: (() => Promise<void>) | undefined;
  #awake: () => void = () => {};
  #disown: () => void = () => {};
  #starting: Promise<void> | undefined;
  readonly #over = new AbortController();
  readonly #peers = new Set<number>();
  #nextClient = 1;
  /** Counts `kill`: a start that one has overtaken is void. */
  #kills = 0;
  /** How many of them there were when the start under way began. */
  #killsBefore = 0;
  /** The page rests: resolves when it wakes. */
  #rest: Promise<void> | undefined;
  /** Where a cluster comes from that this owner founds. */
  #foundation: OwnNode["origin"] = "founded";

  constructor(
    platform: Platform,
    settings: NodeSettings,
    module: WebAssembly.Module | BufferSource,
  ) {
    this.#platform = platform;
    this.#settings = settings;
    this.#module = module;
    this.cluster = settings.name;
    this.#id = settings.id ?? 0;
    const nodes = [settings.id ?? 1];
    this.#access = new Access(platform.core, settings, nodes, () => this.#quorum());
    this.#membership = new Membership({
      deadlineMs: settings.deadlineMs,
      assertOpen: () => this.#access.assertOpen(),
      quorum: () => this.#quorum(),
      leader: (options) => this.leader(options),
      // Whoever leads is asked through this owner's node.
      member: (id) => {
        const member = this.#member;
        const { leader, term } = this.#access.leading;
        if (member?.state !== "running" || id !== leader) return undefined;
        const role = { role: "leader", term } as const;
        return { id, role, state: member.state, ask: (request) => member.ask(request) };
      },
      admit: () => Promise.reject(closedError()),
      dismiss: async () => {},
      lastId: () => 0,
    });
    this.members = this.#membership;
    this.leadership = this.#membership;
    this.#ownCalls = this.#access.callsTo(nodes, "here");
    this.here =
      settings.machine === undefined
        ? kvReads(this.#ownCalls)
        : { query: (question, options) => query(this.#ownCalls, question, options) };
  }

  get kv(): Kv<Json> {
    return this.#access.kv;
  }

  execute(command: unknown, options?: CallOptions): Promise<unknown> {
    return this.#access.execute(command, options);
  }

  query(question: unknown, options?: MachineQueryOptions): Promise<unknown> {
    return this.#access.query(question, options);
  }

  get id(): number {
    return this.#id;
  }

  get state(): NodeState {
    return this.#member?.state ?? "starting";
  }

  get reason(): QuorateError | undefined {
    return this.#member?.reason;
  }

  /** Starts the node. Resolves when it runs and knows its cluster. */
  async begin(): Promise<void> {
    const { deadlineMs, tab } = this.#settings;
    const what = "nobody who belongs to the cluster has answered";
    // A page that rests keeps nobody from its node; it comes back as one that opens.
    if (tab) {
      let ran = false;
      let woken = () => {};
      const deaf = onRest({
        rest: () => {
          this.#rest = new Promise((resolve) => {
            woken = resolve;
          });
          ran = this.state === "running" || this.#starting !== undefined;
          if (ran) void this.kill();
        },
        wake: () => {
          this.#rest = undefined;
          woken();
          // If it cannot, it says so itself.
          if (ran) this.start().catch(() => {});
        },
      });
      this.#awake = () => {
        deaf();
        woken();
      };
    }
    const started = async () => {
      for (;;) {
        try {
          return await this.start();
        } catch (error) {
          // A page that is put to rest while it opens a node goes on when it wakes.
          if ((error as QuorateError).code !== "NODE_KILLED" || this.#access.isClosed) throw error;
          await this.#rest;
        }
      }
    };
    try {
      await bounded({}, deadlineMs, what, started);
    } catch (error) {
      const { code, message } = error as QuorateError;
      throw code === "TIMEOUT" ? lateError("away", message, "not-applied") : error;
    }
  }

  start(): Promise<void> {
    if (this.#access.isClosed) return Promise.reject(closedError());
    const member = this.#member;
    if (member?.state === "running") return Promise.resolve();
    const earlier = this.#starting;
    if (earlier !== undefined && this.#killsBefore === this.#kills) return earlier;
    const kills = this.#kills;
    this.#killsBefore = kills;
    const enter = () => this.#enter(kills);
    const starting = (
      earlier === undefined ? enter() : earlier.catch(() => {}).then(enter)
    ).finally(() => {
      if (this.#starting === starting) this.#starting = undefined;
    });
    this.#starting = starting;
    return starting;
  }

  async kill(): Promise<void> {
    this.#kills++;
    await this.#member?.kill();
    // What it was about to take is let go of, too.
    if (this.#killsBefore !== this.#kills) await this.#starting?.catch(() => {});
  }

  async #enter(kills: number): Promise<void> {
    const { tab, id = 0, storage, transport, shared } = this.#settings;
    const assertWanted = () => {
      this.#access.assertOpen();
      if (kills === this.#kills) return;
      const node = this.#id;
      throw quorateError("NODE_KILLED", `node ${node} was killed before it ran`, { node });
    };
    if (storage.kind === "directory" && this.#unlock === undefined)
      this.#unlock = await this.#platform.lockDirectory?.(storage.path, id);
    // What it was is over, and its storage free.
    await this.#member?.kill();
    assertWanted();
    const parts = { id, settings: this.#settings, module: this.#module, platform: this.#platform };
    const owner = shared ? await this.#own() : undefined;
    assertWanted();
    this.#member = new Member({ ...parts, events: this, transport, tab, ...(owner && { owner }) });
    await this.#member.start();
  }

  /** A name under which this page is known to a shared worker until it lets go of it. */
  async #own(): Promise<string> {
    this.#disown();
    const owner = randomName();
    // Held before the worker hears of it, or else it would take the page for one that is gone.
    await new Promise<void>((owned, reject) => {
      const hold = () =>
        new Promise<void>((disown) => {
          this.#disown = disown;
          owned();
        });
      navigator.locks.request(ownerLock(this.cluster, owner), hold).catch(reject);
    });
    return owner;
  }

  /** Hears when a shared worker ends without a word. */
  #mourn(member: Member): void {
    const dead = () => {
      const message = "the shared worker of the node has ended";
      member.refuse(quorateError("WORKER_FAILED", message, { node: member.id }));
    };
    const { signal } = this.#over;
    navigator.locks
      .request(placeOf(this.cluster, member.id), { mode: "shared", signal }, dead)
      .catch(() => {}); // This owner has closed.
  }

  #found(member: Member, storage: string): void {
    this.#tell(member, storage).catch((error: unknown) => member.refuse(toError(error)));
  }

  /** Tells a node of a cluster that is founded with it. */
  async #tell(member: Member, storage: string): Promise<void> {
    // Who has belonged to a cluster, and lost its storage, is told by the others.
    if (!this.#settings.tab) await new Promise((resolve) => setTimeout(resolve, LISTEN_MS));
    if (member.state !== "starting") return;
    const mark = markOf(this.#platform, this.#settings);
    const isReset = (await mark?.read()) !== undefined;
    const cluster = randomName();
    await mark?.write(cluster);
    this.#foundation = isReset ? "reset" : "founded";
    member.begin(cluster, [{ node: member.id, storage }]);
  }

  async status(options: CallOptions = {}): Promise<NodeStatus> {
    this.#access.assertOpen();
    if (this.#member === undefined) throw closedError();
    return this.#member.status(options);
  }

  leader(options?: CallOptions): Promise<number> {
    return this.#access.leader(options);
  }

  addEventListener<K extends keyof NodeEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | AddEventListenerOptions,
  ): void {
    this.#access.events.add(type, listener as (event: CustomEvent) => void, options);
  }

  removeEventListener<K extends keyof NodeEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | EventListenerOptions,
  ): void {
    this.#access.events.remove(type, listener as (event: CustomEvent) => void, options);
  }

  close(): Promise<void> {
    return this.#access.close(() => this.#close());
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;

  // What the member tells. One that is no longer this node's says nothing.

  opened(member: Member): void {
    if (member !== this.#member || member.identity === undefined) return;
    const { cluster, membersIndex, members, isFirst, storage } = member.identity;
    this.#id = member.id;
    this.#membership.guess(membersIndex, members);
    if (this.#settings.shared) this.#mourn(member);
    if (cluster !== null) return;
    if (isFirst) this.#found(member, storage);
  }

  listening(member: Member): void {
    if (member !== this.#member || member.identity === undefined) return;
    const { cluster, storage } = member.identity;
    if (cluster === null && this.#settings.found) this.#found(member, storage);
  }

  started(member: Member): void {
    if (member !== this.#member) return;
    if (member.identity?.cluster === null)
      this.origin = member.founded ? this.#foundation : "joined";
    const client = this.#nextClient++;
    this.#connect(this.#access.calls, member.id, (port) => ({ type: "client", client, port }));
    const own = this.#nextClient++;
    this.#connect(this.#ownCalls, member.id, (port) => ({ type: "client", client: own, port }));
    this.#access.events.emit("nodeup", { node: member.id });
  }

  peer(node: number, isThere: boolean): void {
    if (!isThere) {
      if (!this.#peers.delete(node)) return;
      this.#access.calls.disconnect(node);
      this.#access.events.emit("nodedown", { node });
      return;
    }
    const isNews = !this.#peers.has(node);
    this.#peers.add(node);
    const client = this.#nextClient++;
    this.#connect(this.#access.calls, node, (port) => ({ type: "far", node, client, port }));
    if (isNews) this.#access.events.emit("nodeup", { node });
  }

  #connect(
    calls: Calls,
    node: number,
    message: (port: MessagePort) => Parameters<Member["tell"]>[0],
  ): void {
    const { port1, port2 } = new MessageChannel();
    this.#member?.tell(message(port2), [port2]);
    calls.connect(node, port1);
  }

  stopped(member: Member, how: "killed" | "halted"): void {
    if (member !== this.#member) return;
    for (const node of [member.id, ...this.#peers]) this.#access.calls.disconnect(node);
    this.#ownCalls.disconnect(member.id);
    this.#peers.clear();
    if (this.#access.isClosed) return;
    this.#lead(null, this.#access.leading.term);
    this.#membership.wake();
    if (how === "killed") this.#access.events.emit("nodedown", { node: member.id });
    else if (member.reason !== undefined)
      this.#access.events.emit("halted", { node: member.id, reason: member.reason });
  }

  role(member: Member, role: Role, term: number, leader: number | null): void {
    if (member !== this.#member) return;
    this.#access.events.emit("rolechange", { node: member.id, role, term, leader });
    this.#lead(leader, term);
  }

  #lead(leader: number | null, term: number): void {
    if (this.#access.lead(leader, term)) this.#membership.wake();
  }

  progress(_member: Member, commit: number, term: number): void {
    this.#access.events.emit("commit", { index: commit, term });
  }

  membership(index: number, members: MembersNow): void {
    if (this.#membership.learn(index, members))
      this.#access.events.emit("memberchange", { members: this.#membership.list() });
  }

  // Only a cluster hands its members out.
  reads(): never {
    throw closedError();
  }

  queryOf(): never {
    throw closedError();
  }

  #quorum(): Quorum {
    return this.#access.leading.leader === null ? "away" : "there";
  }

  async #close(): Promise<void> {
    this.#awake();
    this.#over.abort();
    this.#ownCalls.close();
    await this.#member?.retire();
    // What it was about to take is let go of, too.
    await this.#starting?.catch(() => {});
    this.#disown();
    await this.#unlock?.();
  }
}

function toError(cause: unknown): QuorateError {
  const message = `what is remembered of the cluster could not be written: ${String(cause)}`;
  return quorateError("STORAGE_WRITE_FAILED", message, { cause });
}

/** Who founds a cluster listens so long whether there is one. */
const LISTEN_MS = 500;
