// The nemesis: faults of real workers, on tracks beside one another, each begun, held and undone.
//
// What is chosen follows from the seed; what comes of it, and when, does not. A fault that has no effect is a failure of the
// nemesis and is told: a thread that was to stand still says afterwards how long it was silent.

import { chanceOf } from "./chance.mjs";

/** Faults of one track exclude each other; tracks do not. Pauses and holds are in milliseconds. */
const tracks = [
  { name: "process", faults: ["kill", "killLeader", "killMany"], pause: [300, 1_500] },
  {
    name: "network",
    faults: ["partition", "isolateLeader", "oneWay", "lossy", "slow"],
    pause: [200, 1_200],
  },
  { name: "freeze", faults: ["freeze", "freezeLeader"], pause: [500, 2_000] },
  { name: "suspend", faults: ["suspend"], pause: [3_000, 6_000] },
];

/** Off unless it is asked for: deletes the storage of a node. */
const optional = { evict: "process" };

/** A lock is free within so many milliseconds after a kill. */
const lockPatience = 15_000;

export const kinds = [...tracks.flatMap(({ faults }) => faults), ...Object.keys(optional)];

export class Nemesis {
  #world;
  #seed;
  #tracks;
  #over = false;
  #ending = new AbortController();
  /** How often each fault was done. */
  counts = {};
  /** What was done when: `{ at, fault, nodes, held }`. */
  deeds = [];
  /** How often a node could not start at first, because the lock of its killed worker was still held. */
  lateStarts = 0;

  /**
   * `world` is `{ cluster, leader(), workers, host, now(), suspend(ms) }`, where `suspend` is missing if the host as a whole
   * cannot be stopped. `only` names the faults to use; without it, all but the optional ones.
   */
  constructor(world, seed, only) {
    this.#world = world;
    this.#seed = seed;
    const wanted = only ?? tracks.flatMap(({ faults }) => faults);
    this.#tracks = tracks.map((track) => {
      const extra = Object.keys(optional).filter((fault) => optional[fault] === track.name);
      const faults = [...track.faults, ...extra].filter((fault) => wanted.includes(fault));
      return { ...track, faults };
    });
    if (world.suspend === undefined)
      this.#tracks = this.#tracks.filter(({ name }) => name !== "suspend");
    this.#tracks = this.#tracks.filter(({ faults }) => faults.length > 0);
    for (const { faults } of this.#tracks) for (const fault of faults) this.counts[fault] = 0;
  }

  /** Goes on until `stop`; then every fault is undone. */
  async run() {
    await Promise.all(this.#tracks.map((track) => this.#follow(track)));
    await this.#undo();
  }

  stop() {
    this.#over = true;
    this.#ending.abort();
  }

  async #follow({ name, faults, pause }) {
    const chance = chanceOf(this.#seed, name);
    await this.#wait(chance.between(100, pause[1]));
    // Each kind once before any a second time: short runs shall have them all.
    for (let rest = []; !this.#over; ) {
      if (rest.length === 0) rest = chance.sample(faults, faults.length);
      const fault = rest.pop();
      const at = this.#world.now();
      const done = await this[`_${fault}`](chance);
      if (done !== undefined) {
        this.counts[fault]++;
        this.deeds.push({ at, until: this.#world.now(), fault, ...done });
      }
      await this.#wait(chance.between(...pause));
    }
  }

  // Each answers with what it did, or with undefined if there was nothing to do it to.

  async _kill(chance) {
    return this.#kill([chance.pick(this.#ids())], chance.between(50, 1_500));
  }

  async _killLeader(chance) {
    const leader = this.#world.leader();
    return leader === null ? undefined : this.#kill([leader], chance.between(50, 1_500));
  }

  /** From two to all of them: what is left is often no quorum, and sometimes nothing. */
  async _killMany(chance) {
    const ids = this.#ids();
    if (ids.length < 2) return undefined;
    return this.#kill(chance.sample(ids, chance.between(2, ids.length)), chance.between(50, 1_000));
  }

  /** The storage of a node vanishes: under its feet, or while it does not run. */
  async _evict(chance) {
    const { cluster, host } = this.#world;
    const node = chance.pick(this.#ids());
    const beneath = chance.odds(0.5);
    const hold = chance.between(50, 500);
    if (beneath) {
      await host.evict(cluster.name, node);
      await this.#wait(hold);
    }
    await cluster.node(node).kill();
    if (!beneath) await host.evict(cluster.name, node);
    await this.#wait(hold);
    await this.#start([node]);
    return { nodes: [node], beneath };
  }

  async _partition(chance) {
    const ids = this.#ids();
    if (ids.length < 2) return undefined;
    const group = chance.sample(ids, chance.between(1, ids.length - 1));
    this.#world.cluster.network.partition(group);
    return this.#heal(chance, group);
  }

  async _isolateLeader(chance) {
    const leader = this.#world.leader();
    if (leader === null) return undefined;
    this.#world.cluster.network.isolate(leader);
    return this.#heal(chance, [leader]);
  }

  /** A node that is heard and does not hear, or the other way round; or one link of one direction. */
  async _oneWay(chance) {
    const ids = this.#ids();
    if (ids.length < 2) return undefined;
    const leader = this.#world.leader();
    const node = leader !== null && chance.odds(0.5) ? leader : chance.pick(ids);
    const peer = chance.pick(ids.filter((id) => id !== node));
    const link = chance.pick([{ from: node }, { to: node }, { from: node, to: peer }]);
    this.#world.cluster.network.drop({ ...link, probability: 1 });
    return { ...(await this.#heal(chance, [node])), link };
  }

  async _lossy(chance) {
    const probability = chance.between(5, 40) / 100;
    this.#world.cluster.network.drop({ probability });
    return { ...(await this.#heal(chance, [])), probability };
  }

  async _slow(chance) {
    const rule = { ms: chance.between(0, 150), jitter: chance.between(10, 150) };
    this.#world.cluster.network.delay(rule);
    return { ...(await this.#heal(chance, [])), ...rule };
  }

  async _freeze(chance) {
    return this.#freeze(chance.pick(this.#ids()), chance.between(200, 2_500));
  }

  async _freezeLeader(chance) {
    const leader = this.#world.leader();
    return leader === null ? undefined : this.#freeze(leader, chance.between(400, 2_500));
  }

  /** Everything stands still: nodes, clients and the nemesis itself. */
  async _suspend(chance) {
    const ms = chance.between(500, 2_500);
    const workers = [...this.#world.workers];
    const watches = await Promise.all(workers.map(([, worker]) => worker.watch()));
    await this.#world.suspend(ms);
    let stopped = 0;
    for (const [at, [node]] of workers.entries()) {
      const gap = await watches[at]();
      if (gap === undefined) continue;
      if (gap < ms / 2)
        throw new Error(
          `the host was suspended for ${ms} ms, but node ${node} was never silent for more than ${gap} ms`,
        );
      stopped++;
    }
    return { nodes: this.#ids(), ms, stopped };
  }

  #ids() {
    return this.#world.cluster.nodes.map(({ id }) => id);
  }

  async #kill(nodes, ms) {
    await Promise.all(nodes.map((node) => this.#world.cluster.node(node).kill()));
    await this.#wait(ms);
    await this.#start(nodes);
    return { nodes };
  }

  async #start(nodes) {
    await Promise.all(nodes.map((node) => this.#startOne(node)));
  }

  /** A worker that was blocked when it was killed holds its lock until the browser ends it by force, which takes seconds. */
  async #startOne(node) {
    for (const end = performance.now() + lockPatience; ; ) {
      try {
        return await this.#world.cluster.node(node).start();
      } catch (error) {
        if (error.code !== "STORAGE_LOCKED" || performance.now() > end) throw error;
        this.lateStarts++;
      }
    }
  }

  async #heal(chance, nodes) {
    await this.#wait(chance.between(300, 2_500));
    this.#world.cluster.network.heal();
    return { nodes };
  }

  async #freeze(node, ms) {
    const worker = this.#world.workers.get(node);
    if (worker === undefined || this.#world.cluster.node(node).state !== "running")
      return undefined;
    const silence = await worker.watch();
    await worker.freeze(ms);
    const gap = await silence();
    // One that was killed meanwhile was frozen up to then.
    if (gap !== undefined && gap < ms * 0.9)
      throw new Error(
        `node ${node} was frozen for ${ms} ms, but was never silent for more than ${gap} ms`,
      );
    return { nodes: [node], ms, gap };
  }

  async #undo() {
    const { cluster } = this.#world;
    cluster.network.heal();
    await this.#start(this.#ids());
  }

  /** Waits, but no longer than the nemesis goes on. */
  #wait(ms) {
    const { signal } = this.#ending;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const timer = setTimeout(done, ms);
      function done() {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      }
      signal.addEventListener("abort", done);
    });
  }
}
