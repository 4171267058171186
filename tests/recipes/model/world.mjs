// A world of clients around one store, in which nothing happens by itself: a seed decides which call reaches the store next,
// which answer or event arrives, when time passes, and what goes wrong.
//
// Timers and chance of the code under test are the world's, too, so a seed always tells the same story.

import { AsyncLocalStorage } from "node:async_hooks";

import { Client } from "./client.mjs";
import { Random } from "./random.mjs";
import { Store } from "./store.mjs";

const actor = new AsyncLocalStorage();
takeOver();

export class World {
  now = 0;
  random;
  store;
  /** Called after each step; throws if something is wrong. */
  invariant = () => {};
  calls = [];
  watches = [];
  clients = [];
  /** How many calls of each kind reached the store. */
  counts = {};
  #timers = [];
  #lastTimer = 0;

  /**
   * `faults` are percentages: `unknown` of the calls end without an answer, `late` of those take effect later,
   * `compact` of the steps forget the past, `death` and `stall` of the steps strike a client.
   */
  constructor(seed, errors, faults = {}) {
    this.random = new Random(seed);
    this.errors = errors;
    this.faults = { unknown: 0, compact: 0, death: 0, stall: 0, ...faults };
    this.store = new Store((code) => {
      throw errors.quorateError(code, `the model says ${code}`, { outcome: "not-applied" });
    });
  }

  /** Does the work as a new client, which gets a store of its own. */
  client(work) {
    const client = new Client(this);
    this.clients.push(client);
    client.done = actor.run(client, async () => work(client.kv, client));
    client.done.catch(() => {});
    return client;
  }

  /** Waits as the client that calls it. */
  sleep(ms) {
    return new Promise((resolve) => this.startTimer(resolve, ms));
  }

  /** Runs until all clients that live are done. */
  async run({ steps = 40_000, ms = 3_600_000 } = {}) {
    for (let step = 0; ; step++) {
      // All promises that can go on have gone on when this one comes.
      await new Promise((resolve) => setImmediate(resolve));
      this.invariant();
      const open = this.clients.filter((it) => !it.dead && !it.finished);
      if (open.length === 0) break;
      if (step > steps || this.now > ms) {
        throw new Error(`${open.length} clients wait in vain after ${step} steps, ${this.now} ms`);
      }
      this.#step();
    }
    await Promise.all(this.clients.filter((it) => !it.dead).map(({ done }) => done));
  }

  /** One thing happens. */
  #step() {
    const { random, faults } = this;
    if (random.chance(faults.compact)) this.store.compact();
    if (random.chance(faults.death)) random.pick(this.clients).strike();
    if (random.chance(faults.stall)) {
      random.pick(this.clients).stalledUntil = this.now + random.below(20_000);
    }
    const possible = [
      ...this.calls.filter((call) => call.canStep()),
      ...this.watches.filter((watch) => watch.canStep()),
    ];
    // Time passes when nothing else can happen, and now and then when it can.
    if (possible.length === 0 || random.chance(10)) this.#pass(possible.length === 0);
    else random.pick(possible).step();
  }

  #pass(toTheNext) {
    const due = [
      ...this.#timers.map((timer) => Math.max(timer.at, timer.client?.stalledUntil ?? 0)),
      ...[...this.store.leases.values()].map(({ deadline }) => deadline),
      ...this.clients.flatMap(({ stalledUntil, cutUntil }) => [stalledUntil, cutUntil]),
    ].filter((at) => at > this.now);
    const next = Math.min(...due);
    const end = toTheNext ? next : Math.min(next, this.now + this.random.below(200));
    if (!Number.isFinite(end)) throw new Error("nothing can ever happen again");
    this.now = end;
    // Who gives up by the clock does so before the store does: that is what the clock is for.
    for (;;) {
      const ready = this.#timers
        .filter((timer) => timer.at <= this.now && !timer.client?.isStalled())
        .sort((a, b) => a.at - b.at || a.id - b.id);
      if (ready.length === 0) break;
      const [timer] = ready;
      this.#timers = this.#timers.filter((it) => it !== timer);
      if (!timer.client?.dead) actor.run(timer.client, timer.work);
    }
    this.store.tick(this.now);
  }

  startTimer(work, ms = 0) {
    const at = this.now + Math.max(1, ms);
    const timer = { id: ++this.#lastTimer, world: this, work, at, client: actor.getStore() };
    this.#timers.push(timer);
    return timer;
  }

  stopTimer(timer) {
    this.#timers = this.#timers.filter((it) => it !== timer);
  }
}

/** Whoever acts in a world gets that one's timers and chance, also when the world has ended; all others get the real ones. */
function takeOver() {
  const { setTimeout, clearTimeout } = globalThis;
  const getRandomValues = crypto.getRandomValues.bind(crypto);
  globalThis.setTimeout = (work, ms, ...rest) =>
    actor.getStore()?.world.startTimer(work, ms) ?? setTimeout(work, ms, ...rest);
  globalThis.clearTimeout = (timer) =>
    timer?.world instanceof World ? timer.world.stopTimer(timer) : clearTimeout(timer);
  crypto.getRandomValues = (array) => {
    const world = actor.getStore()?.world;
    return world === undefined ? getRandomValues(array) : array.fill(world.random.next());
  };
}
