// The nemesis: faults on tracks beside one another. What is chosen follows from the seed; what comes of it, and when, does not.

import { chanceOf } from "./chance.mjs";
import { faults } from "./faults.mjs";

/** Faults of one track exclude each other; tracks do not. `pause` is between two of them, in milliseconds. */
const tracks = [
  {
    name: "process",
    kinds: ["kill", "killLeader", "killMany", "depose"],
    pause: [300, 1_500],
  },
  {
    name: "network",
    kinds: ["partition", "isolateLeader", "oneWay", "lossy", "slow"],
    pause: [200, 1_200],
  },
  {
    name: "members",
    kinds: ["evict", "transfer", "grow", "replace", "demote"],
    pause: [300, 2_000],
  },
  { name: "freeze", kinds: ["freeze", "freezeLeader"], pause: [500, 2_000] },
  { name: "suspend", kinds: ["suspend"], pause: [2_000, 5_000] },
];

export const kinds = tracks.flatMap((track) => track.kinds);

/** A lock is free within so many milliseconds after a kill. */
const lockPatience = 15_000;

export class Nemesis {
  #world;
  #seed;
  #tracks;
  #ending = new AbortController();
  /** How often each fault was done. */
  counts = {};
  /** What was done when. */
  deeds = [];
  /** What is under way, for whoever waits in vain. */
  underWay = new Set();
  /** How often a node could not start at first, because the lock of its killed worker was still held. */
  lateStarts = 0;

  /**
   * `world` is `{ cluster, host, workers, leader(), now(), suspend(ms) }`, where `suspend` is missing if the host as a whole
   * cannot be stopped. `wanted` names the faults to use; without it, all.
   */
  constructor(world, seed, wanted) {
    this.#world = {
      ...world,
      unsettled: false,
      forgetful: this.#watchForgetful(world.cluster),
      hold: (ms) => this.#wait(ms),
      kill: (nodes) => this.#kill(nodes),
      start: (nodes) => this.#start(nodes),
    };
    this.#seed = seed;
    this.#tracks = tracks
      .map(({ name, kinds, pause }) => {
        return { name, pause, kinds: kinds.filter((kind) => wanted?.includes(kind) ?? true) };
      })
      .filter(({ name, kinds }) => kinds.length > 0 && (name !== "suspend" || world.suspend));
    for (const { kinds } of this.#tracks) for (const kind of kinds) this.counts[kind] = 0;
  }

  /** Goes on until `stop`; then every fault is undone. */
  async run() {
    await Promise.all(this.#tracks.map((track) => this.#follow(track)));
    this.#world.cluster.network.heal();
    await this.#start(this.#world.cluster.nodes.map(({ id }) => id));
  }

  /** Nodes that were evicted, and have no vote again. */
  get forgetful() {
    return [...this.#world.forgetful];
  }

  stop() {
    this.#ending.abort();
  }

  async #follow({ name, kinds, pause }) {
    const chance = chanceOf(this.#seed, name);
    await this.#wait(chance.between(100, pause[1]));
    for (let rest = []; !this.#ending.signal.aborted; ) {
      // Each kind once before any a second time: short runs shall have many.
      if (rest.length === 0) rest = chance.sample(kinds, kinds.length);
      const kind = rest.pop();
      const at = this.#world.now();
      const deed = await this.#noted(kind, faults[kind](this.#world, chance));
      if (deed !== undefined) {
        this.counts[kind]++;
        this.deeds.push({ at, until: this.#world.now(), fault: kind, ...deed });
      }
      await this.#wait(chance.between(...pause));
    }
  }

  async #noted(what, work) {
    this.underWay.add(what);
    try {
      return await work;
    } finally {
      this.underWay.delete(what);
    }
  }

  /** A node that is no longer a member needs neither. */
  #node(id) {
    return this.#world.cluster.nodes.find((node) => node.id === id);
  }

  async #kill(nodes) {
    const kill = (node) => this.#noted(`killing ${node}`, this.#node(node)?.kill());
    await Promise.all(nodes.map(kill));
  }

  async #start(nodes) {
    const start = (node) => this.#noted(`starting ${node}`, this.#startOne(node));
    await Promise.all(nodes.map(start));
  }

  /** A worker that was blocked when it was killed holds its lock until the browser ends it by force, which takes seconds. */
  async #startOne(node) {
    for (const end = performance.now() + lockPatience; ; ) {
      try {
        return await this.#node(node)?.start();
      } catch (error) {
        // Another track killed it meanwhile, and starts it; or it is no member any more.
        if (error.code === "NODE_KILLED" || error.code === "CLOSED") return;
        if (error.code !== "STORAGE_LOCKED" || performance.now() > end) throw error;
        this.lateStarts++;
      }
    }
  }

  /** Nodes that lost their storage, until they have their vote back, or are no members. */
  #watchForgetful(cluster) {
    const forgetful = new Set();
    const learning = new Set();
    cluster.addEventListener("memberchange", ({ detail: { members } }) => {
      for (const id of forgetful) {
        const member = members.find((one) => one.id === id);
        if (member === undefined) forgetful.delete(id);
        else if (!member.voter) learning.add(id);
        else if (!member.joining && learning.delete(id)) forgetful.delete(id);
      }
    });
    return forgetful;
  }

  /** Waits, but no longer than the nemesis goes on. */
  #wait(ms) {
    const { signal } = this.#ending;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done);
    });
  }
}
