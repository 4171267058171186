// A sharded store under faults, the same in a page and in a process of Node: clients work on it while shards move back and
// forth, groups come and go, nodes are killed and cut off. Then it comes to rest, and everything is counted.

import { chanceOf } from "./chance.mjs";
import { History, toLines } from "./history.mjs";
import { Workload } from "./workload.mjs";

/** After the last fault everything is in its place, and each call is answered, within this time. */
const bound = 30_000;
const shards = 8;
const groupsMax = 4;
/** How often each is done, against the others. */
const deeds = { move: 10, add: 2, remove: 2, weigh: 1, kill: 4, killMany: 1, isolate: 2, storm: 1 };

/** `open` opens a store with these options. What went wrong, what was done, and the history as lines. */
export async function torment({ open, seed, seconds }) {
  const world = new World(
    await open({ name: "sharded", groups: 2, shards, deadline: bound }),
    seed,
  );
  try {
    await world.run(seconds);
  } finally {
    await world.cluster.close();
  }
  const { problems, done, history, served } = world;
  return { problems, done, served, calls: history.counts, history: toLines(history.calls) };
}

class World {
  cluster;
  problems = [];
  /** How often each deed was done, and how often it was refused or came to no end in time. */
  done = {};
  served = 0;
  history = new History();
  #chance;
  #workload;
  #over = false;
  #counted = { sure: 0, perhaps: 0 };

  constructor(cluster, seed) {
    this.cluster = cluster;
    this.#chance = chanceOf(seed, "sharded");
    this.#workload = new Workload(cluster.kv, this.history, seed);
    cluster.addEventListener("migration", ({ detail }) => {
      if (detail.phase === "done") this.served++;
    });
    cluster.addEventListener("halted", ({ detail: { node, reason } }) => {
      this.problems.push(`halted: node ${node}: ${reason.code}: ${reason.message}`);
    });
  }

  async run(seconds) {
    const over = () => this.#over;
    const work = Promise.all([this.#workload.run(over), this.#count(over)]);
    const faults = this.#faults(performance.now() + seconds * 1_000);
    // Whichever fails first is told; the other is not heard.
    for (const one of [work, faults]) one.catch(() => {});
    await Promise.race([work, faults]);
    await faults;
    await this.#heal();
    this.#over = true;
    await work;
    await this.#settle();
    await this.#workload.readAll();
    await this.#compare();
  }

  /** Until the end, and on a slow machine until enough has happened. */
  async #faults(end) {
    const isEnough = () => this.served > 5 && (this.done.kill ?? this.done.killMany) > 0;
    while (performance.now() < end || (!isEnough() && performance.now() < end + bound)) {
      const deed = this.#chance.weighted(deeds);
      let how = deed;
      try {
        await this.#do(deed);
      } catch (error) {
        if (typeof error?.code !== "string") throw error;
        how = `${deed} ${error.code}`;
      }
      this.done[how] = (this.done[how] ?? 0) + 1;
      await sleep(this.#chance.between(0, 150));
    }
  }

  async #do(deed) {
    const { groups, network } = this.cluster;
    const chance = this.#chance;
    const ids = groups.list().map(({ id }) => id);
    const within = { timeout: 1_500 };
    switch (deed) {
      case "move":
        return this.cluster.shards.move(chance.below(shards), chance.pick(ids), within);
      case "add":
        if (ids.length < groupsMax) await groups.add({ ...within, weight: chance.between(1, 3) });
        return;
      case "remove":
        if (ids.length > 1) await groups.remove(chance.pick(ids), within);
        return;
      case "weigh":
        return groups.setWeight(chance.pick(ids), chance.between(1, 3), within);
      case "storm": {
        // Many configurations at once, without waiting for any.
        const one = () => this.cluster.shards.move(chance.below(shards), chance.pick(ids), within);
        const all = await Promise.allSettled(Array.from({ length: 10 }, one));
        const failed = all.find(({ status }) => status === "rejected");
        if (failed !== undefined) throw failed.reason;
        return;
      }
      case "kill":
      case "killMany": {
        const killed = chance.sample(this.cluster.nodes, deed === "kill" ? 1 : 2);
        await Promise.all(killed.map((node) => node.kill()));
        await sleep(chance.between(0, 800));
        await Promise.all(killed.map((node) => node.start()));
        return;
      }
      case "isolate":
        network.isolate(chance.pick(this.cluster.nodes).id);
        await sleep(chance.between(100, 800));
        network.heal();
    }
  }

  /** Adds 1 to counters in all shards, each time once, or perhaps. */
  async #count(over) {
    const chance = this.#chance;
    while (!over()) {
      try {
        await this.cluster.kv.increment(`count/${chance.below(32)}`, 1, { timeout: 3_000 });
        this.#counted.sure++;
      } catch (error) {
        if (error?.outcome !== "not-applied") this.#counted.perhaps++;
      }
      await sleep(chance.between(0, 20));
    }
  }

  async #heal() {
    this.cluster.network.heal();
    for (const node of this.cluster.nodes) await node.start();
  }

  /** Waits until each shard is served by one group, the one that shall have it. */
  async #settle() {
    const end = performance.now() + bound;
    for (;;) {
      const { groups, configuration } = await this.cluster.status();
      const places = groups.flatMap(({ id, shards }) =>
        shards.map(({ shard, stands }) => ({ id, shard, stands })),
      );
      const isThere = configuration.shards.every(
        (group, shard) =>
          places.filter((it) => it.shard === shard).length === 1 &&
          places.some((it) => it.shard === shard && it.id === group && it.stands === "serving"),
      );
      if (isThere) return;
      if (performance.now() > end) {
        this.problems.push(
          `liveness: not settled after ${bound} ms: ${JSON.stringify({ configuration, groups })}`,
        );
        return;
      }
      await sleep(50);
    }
  }

  /** The sum of all counters is what was counted; each key is in the shard of its name, and there once. */
  async #compare() {
    const kv = this.cluster.kv.as("utf8");
    let [sum, keys, start] = [0, [], undefined];
    do {
      const { entries, next } = await kv.range({ ...(start && { start }) }, { timeout: bound });
      for (const { key, value } of entries) {
        keys.push(key);
        if (key.startsWith("count/")) sum += Number(value);
      }
      start = next;
    } while (start !== undefined);
    const { sure, perhaps } = this.#counted;
    if (sum < sure || sum > sure + perhaps)
      this.problems.push(`safety: counted ${sum}, not ${sure} and perhaps ${perhaps} more`);
    if (new Set(keys).size < keys.length) this.problems.push("safety: a key is there twice");
    for (const key of keys) {
      if ((await kv.get(key)) === null)
        this.problems.push(`safety: ${key} is not in the shard of its name`);
    }
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
