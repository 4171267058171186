/** A sharded store: its nodes and the group that makes configurations are a cluster; here is what is on top of it. */

import { bounded, readBounds } from "../bounded.js";
import { integer, invalid } from "../check.js";
import { closedError } from "../closed.js";
import { LiveCluster } from "../cluster.js";
import { QuorateError, withOutcome } from "../errors.js";
import { Events } from "../events.js";
import { encodeKey } from "../kv/codec.js";
import type { Json } from "../kv/types.js";
import { lateError } from "../late.js";
import type { AnyNode, CallOptions, Key, Network } from "../types.js";
import { Balancer } from "./balancer.js";
import { ShardedCalls } from "./calls.js";
import * as controller from "./controller.js";
import { Migrations } from "./migrations.js";
import type { ShardedPlatform } from "./open.js";
import { DEFAULT_SHARDS, type ShardedSettings } from "./options.js";
import { groupsOf, type HostGroups } from "./picture.js";
import { shardedStore } from "./store.js";
import type {
  AddGroupOptions,
  Configuration,
  Group,
  Groups,
  RemoveGroupOptions,
  ShardedCluster,
  ShardedEvents,
  ShardedKv,
  ShardedListener,
  ShardedStatus,
  Shards,
} from "./types.js";

export class LiveShardedCluster implements ShardedCluster {
  readonly name: string;
  readonly groups: Groups;
  readonly shards: Shards;
  readonly #settings: ShardedSettings;
  readonly #platform: ShardedPlatform;
  readonly #cluster: LiveCluster;
  readonly #events = new Events<ShardedEvents>();
  readonly #migrations: Migrations;
  #balancer: Balancer | undefined;
  /** Known once it is open. */
  #calls!: ShardedCalls;
  #kv!: ShardedKv<Json>;
  #configuration: Configuration = { number: 0, shards: [], groups: [] };
  /** The last group that was to join. */
  #adding: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(
    platform: ShardedPlatform,
    settings: ShardedSettings,
    module: WebAssembly.Module,
    unlock: (() => Promise<void>) | undefined,
  ) {
    this.#platform = platform;
    this.#settings = settings;
    this.name = settings.cluster.name;
    this.#cluster = new LiveCluster(platform, settings.cluster, module, unlock);
    this.#migrations = new Migrations({
      groups: () => this.#hostGroups(),
      progress: async (options) =>
        controller.progressOf(await this.#cluster.calls.read(controller.progress(), options)),
      events: this.#events,
    });
    this.groups = {
      list: () => this.#configuration.groups,
      add: (options) => this.#add(options),
      remove: (id, options) => this.#remove(id, options),
      setWeight: (id, weight, options) => this.#setWeight(id, weight, options),
    };
    const count = () => this.#configuration.shards.length;
    this.shards = {
      get count() {
        return count();
      },
      of: (key) => this.#shardOf(key),
      list: () => this.#configuration.shards,
      move: (shard, group, options) => this.#move(shard, group, options),
      configuration: (number, options) => this.#query(number, options),
    };
  }

  get id(): string {
    return this.#cluster.id;
  }

  get origin() {
    return this.#cluster.origin;
  }

  get nodes(): readonly AnyNode[] {
    return this.#cluster.nodes;
  }

  get network(): Network {
    return this.#cluster.network;
  }

  get kv(): ShardedKv<Json> {
    return this.#kv;
  }

  /** Starts the nodes, and finds out which groups there are, or says which there are to be. */
  async begin(): Promise<void> {
    await this.#cluster.begin();
    const { cluster, groups, replicas, shards } = this.#settings;
    const options: CallOptions = { timeout: OPEN_MS };
    let now = await this.#latest(options);
    if (now === undefined || (shards !== undefined && shards !== now.shards.length)) {
      // Refused where it is another number.
      await this.#command(controller.create(shards ?? DEFAULT_SHARDS), options);
      now = await this.#latest(options);
    }
    if (now?.number === 0) {
      const founded: Group[] = [];
      for (let id = 1; id <= groups; id++)
        founded.push({ id, weight: 1, nodes: this.#placed(founded, replicas) });
      await this.#command(controller.join(founded), options);
      now = await this.#latest(options);
    }
    if (now !== undefined) this.#learn(now);
    const ids = this.nodes.map(({ id }) => id);
    this.#calls = new ShardedCalls(
      this.#platform.core,
      ids,
      this.shards.count,
      cluster.deadlineMs,
      () => this.#cluster.quorum(),
    );
    this.#attach();
    this.#kv = shardedStore(this.#calls, this.shards.count);
    this.#migrations.follow(this.#configuration, this.#configuration);
    const { rebalance } = this.#settings;
    if (rebalance !== undefined) {
      this.#balancer = new Balancer(rebalance, {
        groups: () => this.#hostGroups(),
        configuration: () => this.#configuration,
        move: (shard, group) => this.#move(shard, group),
      });
    }
  }

  node(id: number): AnyNode {
    return this.#cluster.node(id);
  }

  async status(options: CallOptions = {}): Promise<ShardedStatus> {
    this.#assertOpen();
    const { deadlineMs } = this.#settings.cluster;
    const all = await bounded(options, deadlineMs, "the nodes gave no status", () =>
      this.#hostGroups(),
    );
    return Object.freeze({
      name: this.name,
      configuration: this.#configuration,
      groups: groupsOf(all),
      nodes: this.nodes.map(({ id, state }) => ({ id, state })),
    });
  }

  addEventListener<K extends keyof ShardedEvents>(
    type: K,
    listener: ShardedListener<K>,
    options?: boolean | AddEventListenerOptions,
  ): void {
    this.#events.add(type, listener, options);
  }

  removeEventListener<K extends keyof ShardedEvents>(
    type: K,
    listener: ShardedListener<K>,
    options?: boolean | EventListenerOptions,
  ): void {
    this.#events.remove(type, listener, options);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;

  async #close(): Promise<void> {
    this.#balancer?.close();
    this.#migrations.close(closedError());
    this.#calls?.close();
    await this.#cluster.close();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError();
  }

  #shardOf(key: Key): number {
    this.#assertOpen();
    return this.#calls.shardOf(encodeKey(key, "the key"));
  }

  async #add(options: AddGroupOptions = {}): Promise<number> {
    const { weight = 1, nodes, ...bounds } = options;
    const known = this.nodes.map((node) => node.id);
    if (nodes !== undefined && !Array.isArray(nodes)) throw invalid('"nodes" are ids of nodes');
    for (const node of nodes ?? []) {
      if (!known.includes(node)) throw invalid(`there is no node ${String(node)}`);
    }
    if (nodes !== undefined && (nodes.length === 0 || new Set(nodes).size < nodes.length))
      throw invalid('"nodes" are different ones, and at least one');
    integer(weight, '"weight"', 1, WEIGHT_MAX);
    const left = this.#patience(bounds);
    // One after the other: each takes the next id.
    const joined = this.#adding.then(() => this.#join(weight, nodes, left));
    this.#adding = joined.catch(() => {});
    const { id, number } = await joined;
    await this.#settled(number, left);
    return id;
  }

  /** Has a group join, whose id no group had before: a node that was away may still have what belonged to that one. */
  async #join(weight: number, nodes: readonly number[] | undefined, left: () => CallOptions) {
    this.#assertOpen();
    const { groups } = await this.#fresh(left());
    const known = await this.#progress(left());
    const ids = [...groups.map((group) => group.id), ...known.groups.keys(), ...known.drained];
    const id = Math.max(0, ...ids) + 1;
    const places = nodes ?? this.#placed(groups, this.#settings.replicas);
    const number = await this.#command(controller.join([{ id, weight, nodes: places }]), left());
    return { id, number };
  }

  async #remove(id: number, options: RemoveGroupOptions = {}): Promise<void> {
    const { discard = false, ...bounds } = options;
    integer(id, "a group", 1, ID_MAX);
    if (typeof discard !== "boolean") throw invalid('"discard" is true or false');
    await this.#change(controller.leave(id, discard), bounds);
  }

  async #setWeight(id: number, weight: number, options: CallOptions = {}): Promise<void> {
    integer(id, "a group", 1, ID_MAX);
    integer(weight, "the weight", 1, WEIGHT_MAX);
    await this.#change(controller.setWeight(id, weight), options);
  }

  async #move(shard: number, group: number, options: CallOptions = {}): Promise<void> {
    integer(shard, "a shard", 0, ID_MAX);
    integer(group, "a group", 1, ID_MAX);
    await this.#change(controller.move(shard, group), options);
  }

  /** Connects the calls to the nodes, to those that run and to those that will, and passes on what happens to them. */
  #attach(): void {
    const cluster = this.#cluster;
    for (const node of cluster.nodes) {
      if (node.state === "running") cluster.connect(node, this.#calls);
    }
    cluster.addEventListener("nodeup", ({ detail }) => {
      cluster.connect(cluster.node(detail.node), this.#calls);
      this.#events.emit("nodeup", detail);
    });
    for (const type of ["nodedown", "halted"] as const) {
      cluster.addEventListener(type, ({ detail }) => {
        this.#calls.disconnect(detail.node);
        this.#events.emit(type, detail as never);
      });
    }
    cluster.addEventListener("network", ({ detail }) => this.#events.emit("network", detail));
  }

  /** Makes a configuration, and waits until it is what there is. */
  async #change(command: Uint8Array, options: CallOptions): Promise<void> {
    this.#assertOpen();
    const left = this.#patience(options);
    await this.#settled(await this.#command(command, left()), left);
  }

  /** Waits until a configuration is what there is. It was made, whatever comes of that. */
  async #settled(number: number, left: () => CallOptions): Promise<void> {
    const what = "the shards have not moved";
    try {
      const now = await this.#fresh(left());
      await this.#migrations.settled(Math.max(number, now.number), (settled) =>
        bounded(left(), 0, what, () => settled),
      );
    } catch (error) {
      if (!(error instanceof QuorateError)) throw error;
      throw error.code === "TIMEOUT"
        ? lateError(this.#cluster.quorum(), `${what} in time; they go on by themselves`, "applied")
        : withOutcome(error, "applied");
    }
  }

  /** The bounds of a call that has several parts: each may take what is left. */
  #patience(options: CallOptions): () => CallOptions {
    const { timeoutMs, signal } = readBounds(options, this.#settings.cluster.deadlineMs);
    const end = performance.now() + timeoutMs;
    return () => ({
      timeout: Math.max(1, Math.ceil(end - performance.now())),
      ...(signal !== undefined && { signal }),
    });
  }

  async #command(command: Uint8Array, options: CallOptions): Promise<number> {
    return controller.numberOf(await this.#cluster.calls.write(command, options));
  }

  #progress(options: CallOptions): Promise<controller.Progress> {
    return this.#cluster.calls.read(controller.progress(), options).then(controller.progressOf);
  }

  async #latest(options: CallOptions): Promise<Configuration | undefined> {
    return controller.configurationOf(await this.#cluster.calls.read(controller.query(), options));
  }

  async #query(number?: number, options: CallOptions = {}): Promise<Configuration> {
    this.#assertOpen();
    if (number === undefined) return this.#fresh(options);
    const query = controller.query(integer(number, "a configuration", 0, Number.MAX_SAFE_INTEGER));
    const found = controller.configurationOf(await this.#cluster.calls.read(query, options));
    return found ?? this.#configuration;
  }

  /** The latest, as everybody knows it from here on. */
  async #fresh(options: CallOptions): Promise<Configuration> {
    const latest = await this.#latest(options);
    if (latest !== undefined) this.#learn(latest);
    return latest ?? this.#configuration;
  }

  #learn(configuration: Configuration): void {
    if (configuration.number < this.#configuration.number) return;
    const before = this.#configuration;
    this.#configuration = configuration;
    if (configuration.number === before.number || this.#calls === undefined) return;
    this.#events.emit("configuration", configuration);
    this.#migrations.follow(before, configuration);
  }

  /** Nodes for one more group: those that have the fewest. */
  #placed(groups: readonly Group[], replicas: number): readonly number[] {
    const ids = this.nodes.map(({ id }) => id);
    const load = (node: number) => groups.filter(({ nodes }) => nodes.includes(node)).length;
    const sorted = [...ids].sort((a, b) => load(a) - load(b) || a - b);
    return sorted.slice(0, replicas).sort((a, b) => a - b);
  }

  /** What each node that runs says of its groups. */
  async #hostGroups(): Promise<HostGroups> {
    const running = this.#cluster.nodes.filter(({ state }) => state === "running");
    const all = await Promise.allSettled(
      running.map(async (node) => ({
        node: node.id,
        ...(await node.whole({ timeout: STATUS_MS })),
      })),
    );
    return all.flatMap((it) => (it.status === "fulfilled" ? [it.value] : []));
  }
}

/** How long it may take to find out which groups there are. */
const OPEN_MS = 30_000;
const STATUS_MS = 2_000;
const WEIGHT_MAX = 1_000;
const ID_MAX = 0xffff_ffff;
