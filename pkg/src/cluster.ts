/** A cluster: its members, the mesh between them, and what the caller sees of it. */

import { bounded } from "./bounded.js";
import { Calls } from "./calls.js";
import { integer } from "./check.js";
import { closedError } from "./closed.js";
import { initCore } from "./core.js";
import { type QuorateError, quorateError } from "./errors.js";
import { Events } from "./events.js";
import { kvStore } from "./kv.js";
import { Member, type MemberEvents } from "./member.js";
import { Rules } from "./network.js";
import { readOptions, type Settings } from "./options.js";
import type { Platform } from "./platform.js";
import type {
  CallOptions,
  Cluster,
  ClusterEvents,
  ClusterListener,
  ClusterNode,
  ClusterOptions,
  ClusterStatus,
  Json,
  Kv,
  Network,
  NodeStatus,
  Role,
} from "./types.js";

/** What `Cluster.open` does, on any platform. */
export async function openCluster(platform: Platform, options: ClusterOptions): Promise<Cluster> {
  const settings = readOptions(options, platform);
  const aborted = () => settings.signal?.aborted === true;
  if (aborted()) throw abortedOpen(settings.signal);
  const module = await platform.loadModule(settings.wasm);
  initCore(module);
  const choice = settings.storage;
  const unlock =
    choice.kind === "directory" ? await platform.lockDirectory?.(choice.path) : undefined;
  const cluster = new LiveCluster(platform, settings, module, unlock);
  const abort = () => void cluster.close();
  settings.signal?.addEventListener("abort", abort);
  try {
    if (aborted()) throw abortedOpen(settings.signal);
    await cluster.begin();
    return cluster;
  } catch (error) {
    await cluster.close();
    throw aborted() ? abortedOpen(settings.signal) : error;
  } finally {
    settings.signal?.removeEventListener("abort", abort);
  }
}

class LiveCluster implements Cluster, MemberEvents {
  readonly name: string;
  readonly nodes: readonly ClusterNode[];
  readonly kv: Kv<Json>;
  readonly network: Network;
  readonly #settings: Settings;
  readonly #members: readonly Member[];
  readonly #calls: Calls;
  readonly #rules: Rules;
  readonly #events = new Events();
  readonly #unlock: (() => Promise<void>) | undefined;
  #leader: { readonly leader: number | null; readonly term: number } = { leader: null, term: 0 };
  #commit = 0;
  #nextClient = 1;
  #statusTimer: ReturnType<typeof setTimeout> | undefined;
  /** Wakes those who wait for a leader when the cluster closes. */
  readonly #over = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(
    platform: Platform,
    settings: Settings,
    module: WebAssembly.Module,
    unlock: (() => Promise<void>) | undefined,
  ) {
    this.#settings = settings;
    this.#unlock = unlock;
    this.name = settings.name;
    const ids = Array.from({ length: settings.size }, (_, at) => at + 1);
    this.#members = ids.map((id) => new Member({ id, settings, module, platform, events: this }));
    this.nodes = this.#members;
    this.#calls = new Calls(ids, settings.deadlineMs, () => this.#hasQuorum());
    this.kv = kvStore(this.#calls);
    this.#rules = new Rules(settings.size, () => this.#applyRules());
    this.network = this.#rules;
  }

  /** Starts all nodes. Fails if another cluster holds the storage, or if fewer than a majority can start. */
  async begin(): Promise<void> {
    const starts = await Promise.allSettled(this.#members.map((member) => member.start()));
    const failures = starts.flatMap((start) =>
      start.status === "rejected" ? [start.reason as QuorateError] : [],
    );
    const hopeless =
      failures.find(({ code }) => code === "STORAGE_LOCKED" || code === "STORAGE_FOREIGN") ??
      (this.#majorityRuns() ? undefined : failures[0]);
    if (hopeless !== undefined) throw hopeless;
  }

  node(id: number): Member {
    const member = this.#members[integer(id, "a node", 1, this.#members.length) - 1];
    if (member === undefined) throw new RangeError("ids count from 1");
    return member;
  }

  async status(options: CallOptions = {}): Promise<ClusterStatus> {
    this.#assertOpen();
    const running = this.#members.filter((member) => member.state === "running");
    // A node that stops while it is asked is in the picture as what it is then.
    const answers = () => Promise.allSettled(running.map((member) => member.status(options)));
    await bounded(options, this.#settings.deadlineMs, "the nodes gave no status", answers);
    return this.#picture();
  }

  async leader(options: CallOptions = {}): Promise<number> {
    this.#assertOpen();
    const stop = new AbortController();
    try {
      return await bounded(
        options,
        this.#settings.deadlineMs,
        "no leader was elected",
        async () => {
          while (this.#leader.leader === null) {
            await new Promise<void>((resolve) => {
              const { signal } = stop;
              this.#events.add("leaderchange", () => resolve(), { once: true, signal });
              this.#over.signal.addEventListener("abort", () => resolve(), { signal });
            });
            this.#assertOpen();
          }
          return this.#leader.leader;
        },
      );
    } catch (error) {
      const { code, message } = error as QuorateError;
      throw code === "TIMEOUT"
        ? quorateError("NO_QUORUM", message, { outcome: "not-applied" })
        : error;
    } finally {
      stop.abort();
    }
  }

  addEventListener<K extends keyof ClusterEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | AddEventListenerOptions,
  ): void {
    this.#events.add(type, listener, options);
  }

  removeEventListener<K extends keyof ClusterEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | EventListenerOptions,
  ): void {
    this.#events.remove(type, listener, options);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;

  // What the members tell.

  started(member: Member): void {
    for (const other of this.#members) {
      if (other === member || other.state !== "running") continue;
      const { port1, port2 } = new MessageChannel();
      member.connectPeer(other.id, port1, this.#rules.rule(member.id, other.id));
      other.connectPeer(member.id, port2, this.#rules.rule(other.id, member.id));
    }
    const { port1, port2 } = new MessageChannel();
    member.tell({ type: "client", client: this.#nextClient++, port: port2 }, [port2]);
    this.#calls.connect(member.id, port1);
    this.#events.emit("nodeup", { node: member.id });
    this.#changed();
  }

  stopped(member: Member, how: "killed" | "halted"): void {
    this.#calls.disconnect(member.id);
    for (const other of this.#members) {
      if (other !== member) other.tell({ type: "peerGone", node: member.id });
    }
    if (this.#closing !== undefined) return;
    if (how === "killed") this.#events.emit("nodedown", { node: member.id });
    else if (member.reason !== undefined)
      this.#events.emit("halted", { node: member.id, reason: member.reason });
    this.#findLeader();
    this.#changed();
  }

  role(member: Member, role: Role, term: number, leader: number | null): void {
    this.#events.emit("rolechange", { node: member.id, role, term, leader });
    this.#findLeader();
    this.#changed();
  }

  progress(_member: Member, commit: number, term: number): void {
    if (commit > this.#commit) {
      this.#commit = commit;
      this.#events.emit("commit", { index: commit, term });
    }
    this.#changed();
  }

  /** The leader is the running one of the highest term: an old one may not know yet that it is none. */
  #findLeader(): void {
    let found: { leader: number | null; term: number } = { leader: null, term: 0 };
    for (const { id, role } of this.#members) {
      if (role?.role === "leader" && role.term > found.term)
        found = { leader: id, term: role.term };
    }
    const { leader } = this.#leader;
    if (found.leader === leader && (leader === null || found.term === this.#leader.term)) return;
    this.#leader = { leader: found.leader, term: Math.max(found.term, this.#leader.term) };
    this.#events.emit("leaderchange", this.#leader);
  }

  #majorityRuns(): boolean {
    return (
      this.#members.filter((member) => member.state === "running").length > this.#members.length / 2
    );
  }

  #hasQuorum(): boolean {
    return this.#leader.leader !== null && this.#majorityRuns();
  }

  #applyRules(): void {
    this.#assertOpen();
    for (const from of this.#members) {
      for (const to of this.#members) {
        if (from !== to)
          from.tell({ type: "link", node: to.id, rule: this.#rules.rule(from.id, to.id) });
      }
    }
    this.#events.emit("network", { rules: this.#rules.rules });
    this.#changed();
  }

  /** Lets the `status` event follow soon, if anyone listens. */
  #changed(): void {
    if (!this.#events.wantsStatus || this.#statusTimer !== undefined || this.#closing !== undefined)
      return;
    this.#statusTimer = setTimeout(() => {
      const done = () => {
        this.#statusTimer = undefined;
      };
      this.status({ timeout: STATUS_TIMEOUT_MS })
        .then((status) => this.#events.emit("status", status))
        .then(done, done);
    }, STATUS_INTERVAL_MS);
  }

  #picture(): ClusterStatus {
    const nodes = Object.freeze(this.#members.map((member) => member.view()));
    const commits = nodes.map(({ status }): NodeStatus["commit"] => status?.commit ?? 0);
    return Object.freeze({
      name: this.name,
      nodes,
      leader: this.#leader.leader,
      term: this.#leader.term,
      commit: Math.max(this.#commit, ...commits),
      rules: this.#rules.rules,
    });
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError();
  }

  async #close(): Promise<void> {
    clearTimeout(this.#statusTimer);
    this.#over.abort();
    this.#calls.close();
    await Promise.all(this.#members.map((member) => member.retire()));
    await this.#unlock?.();
  }
}

// Not every engine has the symbol yet.
if (Symbol.asyncDispose !== undefined) {
  LiveCluster.prototype[Symbol.asyncDispose] = function () {
    return this.close();
  };
}

function abortedOpen(signal: AbortSignal | undefined): QuorateError {
  return quorateError("ABORTED", "opening the cluster was aborted by its signal", {
    cause: signal?.reason,
  });
}

/** Pictures are made at most this often. */
const STATUS_INTERVAL_MS = 100;
const STATUS_TIMEOUT_MS = 1_000;
