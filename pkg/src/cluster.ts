/** A cluster: its members, the mesh between them, and what the caller sees of it. */

import { Access } from "./access.js";
import * as backup from "./backup/index.js";
import { bounded, checkBounds } from "./bounded.js";
import type { Calls } from "./calls.js";
import { integer, invalid } from "./check.js";
import { closedError } from "./closed.js";
import { type ErrorCode, quorateError } from "./errors.js";
import type { Json, Kv, KvReads } from "./kv/types.js";
import type { Quorum } from "./late.js";
import { MAX_ID } from "./limits.js";
import { noStore } from "./machine/calls.js";
import type { AnyMachine, MachineQueryOptions } from "./machine/types.js";
import { markOf } from "./mark.js";
import { Member, type MemberEvents } from "./member.js";
import { Membership } from "./membership.js";
import { randomName } from "./names.js";
import { Rules } from "./network.js";
import { flag } from "./observe/observation.js";
import { totals } from "./observe/picture.js";
import type { ClusterMetrics } from "./observe/types.js";
import type { Settings } from "./options.js";
import type { Platform } from "./platform.js";
import type { Founder, Identity, MembersNow } from "./protocol.js";
import { Readers } from "./readers.js";
import type {
  CallOptions,
  Cluster,
  ClusterEvents,
  ClusterListener,
  ClusterStatus,
  Leadership,
  MachineCluster,
  Members,
  Network,
  NodeStatus,
  Role,
} from "./types.js";

export class LiveCluster implements Cluster, MachineCluster<AnyMachine>, MemberEvents {
  readonly name: string;
  id = "";
  origin: Cluster["origin"] = "restored";
  readonly network: Network;
  readonly members: Members;
  readonly leadership: Leadership;
  readonly #settings: Settings;
  readonly #platform: Platform;
  readonly #module: WebAssembly.Module;
  /** By id, ascending. */
  readonly #members = new Map<number, Member>();
  readonly #membership: Membership;
  /** Opened at the start, before it is known what there is: each is told when that is. */
  #unfounded: Set<Member> | undefined = new Set();
  /** Nodes that lost their storage and have no vote yet. */
  readonly #amnesiac = new Set<number>();
  /** Those of them that are members again, without a vote so far. */
  readonly #rejoining = new Set<number>();
  /** With whom the cluster was founded, as far as a node knows. */
  #founders: readonly Founder[] = [];
  /** Those who read from one node, by its id. */
  readonly #readers: Readers;
  #watchTimer: ReturnType<typeof setTimeout> | undefined;
  #watching = false;
  /** Somebody asked for a look while one was under way. */
  #watchAgain = false;
  /** How often a node that lost its storage was started again. */
  readonly #revivals = new Map<number, number>();
  readonly #access: Access<ClusterEvents>;
  readonly #rules: Rules;
  readonly #unlock: (() => Promise<void>) | undefined;
  #commit = 0;
  #nextClient = 1;
  #statusTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    platform: Platform,
    settings: Settings,
    module: WebAssembly.Module,
    unlock: (() => Promise<void>) | undefined,
  ) {
    this.#settings = settings;
    this.#platform = platform;
    this.#module = module;
    this.#unlock = unlock;
    this.name = settings.name;
    const ids = Array.from({ length: settings.size }, (_, at) => at + 1);
    this.#access = new Access(platform.core, settings, ids, () => this.quorum());
    this.#rules = new Rules(settings.size, () => this.#applyRules());
    this.network = this.#rules;
    this.#membership = new Membership({
      deadlineMs: settings.deadlineMs,
      assertOpen: () => this.#access.assertOpen(),
      quorum: () => this.quorum(),
      leader: (options) => this.leader(options),
      member: (id) => this.#members.get(id),
      admit: (id) => this.#admit(id),
      dismiss: (id) => this.#dismiss(id),
      lastId: () => this.#lastId,
    });
    this.members = this.#membership;
    this.leadership = this.#membership;
    for (const id of ids) this.#enlist(id);
    this.#readers = new Readers((id) => this.#callsTo(id));
  }

  get nodes(): readonly Member[] {
    return Object.freeze([...this.#members.values()]);
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

  /**
   * Starts all nodes. What they find decides: the cluster is brought back, or founded if none of them knows of one.
   * Fails if another cluster holds the storage, or if fewer than a majority can start.
   */
  async begin(): Promise<void> {
    const members = [...this.#members.values()];
    const starts = Promise.allSettled(members.map((member) => member.start()));
    await Promise.all(members.map((member) => member.opened()));
    if (await this.#found()) await starts;
    const failures = members.flatMap(({ reason }) => (reason === undefined ? [] : [reason]));
    const hopeless =
      failures.find(({ code }) => HOPELESS.includes(code)) ??
      (this.#majorityRuns() ? undefined : failures[0]);
    if (hopeless !== undefined) throw hopeless;
    // Whoever opens the cluster can listen only from now on.
    setTimeout(() => {
      for (const node of this.#amnesiac) this.#access.events.emit("amnesia", { node });
    });
  }

  /**
   * All storages that can be opened are open: founds the cluster if none of them knows of one, and a majority is
   * there. Whether there is a cluster now.
   */
  async #found(): Promise<boolean> {
    const waiting = [...(this.#unfounded ?? [])];
    this.#unfounded = undefined;
    const mark = markOf(this.#platform, this.#settings);
    if (this.id !== "") {
      await mark?.write(this.id);
      for (const member of waiting) this.#introduce(member);
      // Nobody knows of any: what the cluster had is gone.
      const isGone = this.#founders.length === 0 && this.#membership.ids.length === 0;
      for (const { id, identity } of this.#members.values()) {
        const forgotten = identity?.founders.length === 0 && identity.members.voters.length === 0;
        // It was told of the cluster, and has not been taken in again so far.
        if (forgotten && (isGone || this.#isKnown(id))) this.#amnesiac.add(id);
      }
      // Whoever joined later belongs to it, too.
      for (const id of this.#membership.ids) {
        if (!this.#members.has(id))
          this.#enlist(id)
            .start()
            .catch(() => {});
      }
      return true;
    }
    if (waiting.length * 2 <= this.#settings.size) return false;
    if (await this.#platform.hasOthers?.(this.#settings)) {
      const message = `none of the nodes knows of a cluster, and another one in the same place, with a higher id, does`;
      throw quorateError("STORAGE_FOREIGN", message);
    }
    this.origin = (await mark?.read()) === undefined ? "founded" : "reset";
    const cluster = randomName();
    // Before the nodes know: a mark without a cluster is a reset, a cluster without a mark would hide one.
    await mark?.write(cluster);
    this.id = cluster;
    const founders = waiting.flatMap(({ id, identity }) =>
      identity === undefined ? [] : [{ node: id, storage: identity.storage }],
    );
    this.#founders = founders;
    const voters = founders.map(({ node }) => node);
    this.#membership.guess(0, { voters, outgoing: [], learners: [], joining: [] });
    for (const member of waiting) member.begin(cluster, founders);
    return true;
  }

  /** Whether the cluster has, or began with, a node of this id. */
  #isKnown(id: number): boolean {
    return this.#founders.some(({ node }) => node === id) || this.#membership.isMember(id);
  }

  /** Tells a node that knows of no cluster which one this is. */
  #introduce(member: Member): void {
    const { id, identity } = member;
    const founder = this.#founders.find(({ node }) => node === id);
    if (founder !== undefined && founder.storage === identity?.storage) {
      // It was to be told when the cluster was founded, and was not.
      member.begin(this.id, this.#founders);
      return;
    }
    if (this.#isKnown(id)) {
      this.#amnesiac.add(id);
      this.#rejoining.delete(id);
      this.#access.events.emit("amnesia", { node: id });
    }
    member.begin(this.id, []);
  }

  node(id: number): Member {
    const member = this.#members.get(integer(id, "a node", 1, MAX_ID));
    if (member === undefined) throw invalid(`there is no node ${id}`);
    return member;
  }

  async status(options: CallOptions = {}): Promise<ClusterStatus> {
    this.#access.assertOpen();
    const running = this.#running();
    // A node that stops while it is asked is in the picture as what it is then.
    const answers = () => Promise.allSettled(running.map((member) => member.status(options)));
    await bounded(options, this.#settings.deadlineMs, "the nodes gave no status", answers);
    return this.#picture();
  }

  async metrics(options: CallOptions = {}): Promise<ClusterMetrics> {
    this.#access.assertOpen();
    checkBounds(options);
    const members = [...this.#members.values()];
    const nodes = await Promise.all(members.map((member) => member.metricsView(options)));
    return { cluster: this.name, time: Date.now(), nodes, totals: totals(nodes) };
  }

  trace(on: boolean): void {
    this.#access.assertOpen();
    this.#settings.observe.trace = flag(on, "the argument");
    for (const member of this.#members.values()) member.tell({ type: "trace", on });
  }

  leader(options?: CallOptions): Promise<number> {
    return this.#access.leader(options);
  }

  export(...args: Parameters<Cluster["export"]>) {
    return backup.exportStore(this, ...args);
  }

  import(...args: Parameters<Cluster["import"]>) {
    return backup.importStore(this, ...args);
  }

  addEventListener<K extends keyof ClusterEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | AddEventListenerOptions,
  ): void {
    this.#access.events.add(type, listener, options);
  }

  removeEventListener<K extends keyof ClusterEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | EventListenerOptions,
  ): void {
    this.#access.events.remove(type, listener, options);
  }

  close(): Promise<void> {
    return this.#access.close(() => this.#close());
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;

  // What the members tell.

  opened(member: Member): void {
    const cluster = member.identity?.cluster ?? null;
    if (cluster === null) {
      if (this.#unfounded !== undefined) this.#unfounded.add(member);
      else this.#introduce(member);
      return;
    }
    if (this.id === "") {
      this.id = cluster;
    } else if (this.id !== cluster) {
      const message = `the storage of node ${member.id} belongs to another cluster of that name`;
      member.refuse(quorateError("STORAGE_FOREIGN", message, { node: member.id }));
      return;
    }
    if (this.#founders.length === 0) this.#founders = member.identity?.founders ?? [];
    if (member.identity !== undefined)
      this.#membership.guess(member.identity.membersIndex, member.identity.members);
  }

  started(member: Member): void {
    for (const other of this.#members.values()) {
      if (other === member || other.state !== "running") continue;
      const { port1, port2 } = new MessageChannel();
      member.connectPeer(other.id, port1, this.#rules.rule(member.id, other.id));
      other.connectPeer(member.id, port2, this.#rules.rule(other.id, member.id));
    }
    this.connect(member, this.#access.calls);
    const own = this.#readers.callsOf(member.id);
    if (own !== undefined) this.connect(member, own);
    this.#access.events.emit("nodeup", { node: member.id });
    this.#changed();
  }

  reads(member: Member): KvReads<Json> {
    if (this.#settings.machine !== undefined) throw noStore();
    return this.#readers.of(member.id).kv;
  }

  queryOf(member: Member, question: unknown, options?: MachineQueryOptions): Promise<unknown> {
    return this.#access.query(question, options, () => this.#readers.of(member.id).calls);
  }

  /** Calls that this node alone answers. */
  #callsTo(id: number): Calls {
    const calls = this.#access.callsTo([id], "here");
    const member = this.#members.get(id);
    if (this.#access.isClosed) calls.close();
    else if (member?.state === "running") this.connect(member, calls);
    else calls.disconnect(id);
    return calls;
  }

  /** Calls to the first group. */
  get calls(): Calls {
    return this.#access.calls;
  }

  /** Connects calls to a node that runs. */
  connect(member: Member, calls: Pick<Calls, "connect">): void {
    const { port1, port2 } = new MessageChannel();
    member.tell({ type: "client", client: this.#nextClient++, port: port2 }, [port2]);
    calls.connect(member.id, port1);
  }

  stopped(member: Member, how: "killed" | "halted"): void {
    this.#access.calls.disconnect(member.id);
    this.#readers.callsOf(member.id)?.disconnect(member.id);
    for (const other of this.#members.values()) {
      if (other !== member) other.tell({ type: "peerGone", node: member.id });
    }
    this.#unfounded?.delete(member);
    if (this.#access.isClosed) return;
    if (how === "killed") this.#access.events.emit("nodedown", { node: member.id });
    else if (member.reason !== undefined)
      this.#access.events.emit("halted", { node: member.id, reason: member.reason });
    this.#findLeader();
    this.#membership.wake();
    this.#changed();
    if (how === "halted") this.#revive(member);
  }

  membership(index: number, members: MembersNow): void {
    if (this.#membership.learn(index, members)) this.#membersChanged(members);
  }

  #membersChanged(members: MembersNow): void {
    const { voters, outgoing, learners } = members;
    for (const id of this.#amnesiac) {
      if (learners.includes(id)) this.#rejoining.add(id);
      else if (outgoing.length === 0 && voters.includes(id) && this.#rejoining.delete(id))
        this.#amnesiac.delete(id);
    }
    this.#access.events.emit("memberchange", { members: this.#membership.list() });
    this.#watch();
    this.#changed();
  }

  role(member: Member, role: Role, term: number, leader: number | null): void {
    this.#access.events.emit("rolechange", { node: member.id, role, term, leader });
    this.#findLeader();
    this.#changed();
  }

  progress(_member: Member, commit: number, term: number): void {
    if (commit > this.#commit) {
      this.#commit = commit;
      this.#access.events.emit("commit", { index: commit, term });
    }
    this.#changed();
  }

  /** The leader is the running one of the highest term: an old one may not know yet that it is none. */
  #findLeader(): void {
    let found: { leader: number | null; term: number } = { leader: null, term: 0 };
    for (const { id, role } of this.#members.values()) {
      if (role?.role === "leader" && role.term > found.term)
        found = { leader: id, term: role.term };
    }
    if (!this.#access.lead(found.leader, found.term)) return;
    this.#membership.wake();
    this.#watch();
  }

  #running(): Member[] {
    return [...this.#members.values()].filter((member) => member.state === "running");
  }

  #voters(): readonly number[] {
    const { voters } = this.#membership.now;
    return voters.length > 0
      ? voters
      : Array.from({ length: this.#settings.size }, (_, at) => at + 1);
  }

  #majorityRuns(): boolean {
    const voters = this.#voters();
    const running = voters.filter((id) => this.#members.get(id)?.state === "running");
    return running.length > voters.length / 2;
  }

  /** Whether a majority can decide. */
  quorum(): Quorum {
    const voters = this.#voters();
    const forgetful = voters.filter((id) => this.#amnesiac.has(id));
    if (forgetful.length >= voters.length / 2) return "lost";
    return this.#access.leading.leader !== null && this.#majorityRuns() ? "there" : "away";
  }

  /** The node's place in the mesh; it is started by whoever wants it. */
  #enlist(id: number): Member {
    const parts = { id, settings: this.#settings, module: this.#module, platform: this.#platform };
    const member = new Member({ ...parts, events: this });
    const members = [...this.#members, [id, member] as const].sort(([a], [b]) => a - b);
    this.#members.clear();
    for (const [key, value] of members) this.#members.set(key, value);
    this.#rules.grow(id);
    return member;
  }

  get #lastId(): number {
    return Math.max(0, ...this.#members.keys(), ...this.#membership.ids);
  }

  async #admit(id: number): Promise<Identity> {
    const member = this.#members.get(id) ?? this.#enlist(id);
    await member.start();
    if (member.identity === undefined) throw closedError();
    return member.identity;
  }

  async #dismiss(id: number): Promise<void> {
    const member = this.#members.get(id);
    if (member === undefined || this.#access.isClosed) return;
    this.#amnesiac.delete(id);
    this.#revivals.delete(id);
    this.#readers.forget(id);
    await member.retire();
    if (this.#members.get(id) === member) this.#members.delete(id);
    this.#changed();
  }

  /** A node whose storage was taken from it begins again with a new one, if the others go on. */
  #revive(member: Member): void {
    const { id, reason } = member;
    const tries = this.#revivals.get(id) ?? 0;
    const lost = reason?.code === "STORAGE_LOST" || reason?.code === "STORAGE_TAKEN_AWAY";
    if (!lost || tries >= REVIVALS_MAX || !this.#majorityRuns()) return;
    this.#revivals.set(id, tries + 1);
    setTimeout(() => {
      if (!this.#access.isClosed && member.state === "halted" && this.#majorityRuns())
        member.start().catch(() => {}); // It says itself why it halted again.
    }, REVIVE_MS);
  }

  /** Looks at the leader as long as something is under way that only its status tells. */
  #watch(): void {
    // Who is looked at may lead no more: whoever leads now is looked at next.
    this.#watchAgain = this.#watching;
    if (this.#watching || this.#watchTimer !== undefined || this.#access.isClosed) return;
    this.#watching = true;
    const again = (soon: boolean) => {
      this.#watching = false;
      if (!(soon || this.#watchAgain) || this.#access.isClosed) return;
      this.#watchTimer = setTimeout(() => {
        this.#watchTimer = undefined;
        this.#watch();
      }, WATCH_MS);
    };
    this.#lookAtLeader().then(again, () => again(true));
  }

  /** Whether to look again soon. */
  async #lookAtLeader(): Promise<boolean> {
    const leader = this.#members.get(this.#access.leading.leader ?? 0);
    if (leader === undefined) return false; // The next leader begins this anew.
    const status = await leader.status({ timeout: STATUS_TIMEOUT_MS });
    if (status.role !== "leader") return false;
    // What is in force and not committed may yet be another.
    if (status.commit < status.membersIndex) return true;
    if (this.#membership.settle(status.membersIndex, status.members))
      this.#membersChanged(status.members);
    const { voters, outgoing, learners, joining } = status.members;
    for (const { id, matched } of status.peers) {
      if (joining.includes(id))
        this.#access.events.emit("catchup", { node: id, matched, last: status.last });
    }
    if (outgoing.length > 0) return true;
    for (const id of [...voters, ...learners]) {
      if (!this.#members.has(id))
        this.#enlist(id)
          .start()
          .catch(() => {});
    }
    for (const id of [...this.#members.keys()]) {
      if (!this.#membership.ids.includes(id)) void this.#dismiss(id);
    }
    return joining.length > 0 || this.#amnesiac.size > 0;
  }

  #applyRules(): void {
    this.#access.assertOpen();
    for (const from of this.#members.values()) {
      for (const to of this.#members.values()) {
        if (from !== to)
          from.tell({ type: "link", node: to.id, rule: this.#rules.rule(from.id, to.id) });
      }
    }
    this.#access.events.emit("network", { rules: this.#rules.rules });
    this.#changed();
  }

  /** Lets the `status` event follow soon, if anyone listens. */
  #changed(): void {
    if (
      !this.#access.events.wantsStatus ||
      this.#statusTimer !== undefined ||
      this.#access.isClosed
    )
      return;
    this.#statusTimer = setTimeout(() => {
      const done = () => {
        this.#statusTimer = undefined;
      };
      this.status({ timeout: STATUS_TIMEOUT_MS })
        .then((status) => this.#access.events.emit("status", status))
        .then(done, done);
    }, STATUS_INTERVAL_MS);
  }

  #picture(): ClusterStatus {
    const nodes = Object.freeze([...this.#members.values()].map((member) => member.view()));
    const commits = nodes.map(({ status }): NodeStatus["commit"] => status?.commit ?? 0);
    return Object.freeze({
      name: this.name,
      nodes,
      leader: this.#access.leading.leader,
      term: this.#access.leading.term,
      commit: Math.max(this.#commit, ...commits),
      members: this.#membership.list(),
      rules: this.#rules.rules,
    });
  }

  async #close(): Promise<void> {
    clearTimeout(this.#statusTimer);
    this.#readers.close();
    clearTimeout(this.#watchTimer);
    await Promise.all([...this.#members.values()].map((member) => member.retire()));
    await this.#unlock?.();
  }
}

/** Whichever node says so, the cluster is not to be opened like this. */
const HOPELESS: readonly ErrorCode[] = [
  "STORAGE_LOCKED",
  "STORAGE_FOREIGN",
  "MACHINE_INVALID",
  "MACHINE_LOAD",
  "MACHINE_MISMATCH",
];
/** How often a node that lost its storage is started again. */
const REVIVALS_MAX = 5;
const REVIVE_MS = 200;
/** How often the leader is looked at while something is under way. */
const WATCH_MS = 100;
/** Pictures are made at most this often. */
const STATUS_INTERVAL_MS = 100;
const STATUS_TIMEOUT_MS = 1_000;
