// One run, the same in a page and in a process of Node: open a cluster, load it, let the nemesis loose, and then see whether
// the cluster comes to rest. It runs inside the host; a driver outside asks how it goes, and stops the host when it shall.

import { History, toLines } from "./history.mjs";
import { Nemesis } from "./nemesis.mjs";
import { comeToRest, compareReplicas } from "./rest.mjs";
import { Stoppable } from "./stop.mjs";
import { Workload } from "./workload.mjs";

/** After the last fault the cluster answers a write, and all replicas agree, within this time each. */
const bound = 20_000;
/** What is asked of the driver or of a worker is done within so many milliseconds, on a slow machine too. */
const patience = 15_000;

/**
 * What a driver asks of the arena: `start(options)` once, `poll()` as often as it likes, and `take(part)` in the end.
 * `options` are `{ name, seed, seconds, nodes, faults, canSuspend }`.
 */
export function arenaOf(host) {
  let run;
  return {
    start: (options) => {
      run = new Run(host, options);
      run.begin();
    },
    poll: () => run.poll(),
    take: (part) => run.take(part),
  };
}

class Run {
  #host;
  #options;
  #history = new History();
  #workers = new Map();
  #leader = { leader: null, term: 0 };
  #wish = 0;
  #nemesis;
  #halts = {};
  #phase = "opening";
  #began = performance.now();
  #result;

  constructor(host, options) {
    this.#host = host;
    this.#options = options;
  }

  begin() {
    this.#whole().then(
      (result) => {
        this.#result = result;
      },
      (error) => {
        // Not every engine's stack says the error, too.
        this.#result = { problems: [`${this.#phase}: ${error}\n${error?.stack ?? ""}`] };
      },
    );
  }

  /** How it goes. A `suspend` above 0 asks the driver to stop the whole host for so many milliseconds, once. */
  poll() {
    const suspend = this.#wish;
    this.#wish = 0;
    return {
      seconds: (performance.now() - this.#began) / 1_000,
      phase: this.#phase,
      calls: this.#history.counts,
      leader: this.#leader,
      faults: this.#nemesis?.counts ?? {},
      underWay: [...(this.#nemesis?.underWay ?? [])],
      suspend,
      done: this.#result !== undefined,
    };
  }

  /** Parts of the outcome, as text: "summary", "history" or "deeds". */
  take(part) {
    switch (part) {
      case "summary":
        return JSON.stringify({ ...this.poll(), ...this.#result });
      case "history":
        return toLines(this.#history.calls);
      case "deeds":
        return (this.#nemesis?.deeds ?? []).map((deed) => `${JSON.stringify(deed)}\n`).join("");
      default:
        throw new Error(`there is no ${part}`);
    }
  }

  async #whole() {
    const { name, seed, nodes, faults, seconds, canSuspend } = this.#options;
    const problems = [];
    const createWorker = (node) => this.#createWorker(node);
    const cluster = await this.#host.open({ name, nodes, createWorker, deadline: bound });
    cluster.addEventListener("leaderchange", ({ detail }) => {
      this.#leader = detail;
    });
    cluster.addEventListener("halted", ({ detail: { node, reason } }) => {
      this.#halts[reason.code] = (this.#halts[reason.code] ?? 0) + 1;
      // A node whose lock is still held is started again, and one that was evicted may well halt.
      if (reason.code === "STORAGE_LOCKED") return;
      if (reason.code.startsWith("STORAGE_") && this.#nemesis?.forgetful.includes(node)) return;
      problems.push(`halted: node ${node}: ${reason.code}: ${reason.message}`);
    });
    this.#leader.leader = await cluster.leader();
    const workload = new Workload(cluster.kv, this.#history, seed);
    const world = {
      cluster,
      host: this.#host,
      workers: this.#workers,
      leader: () => this.#leader.leader,
      now: () => this.#history.now(),
      suspend: canSuspend ? (ms) => this.#suspend(ms) : undefined,
    };
    this.#nemesis = new Nemesis(world, seed, faults);

    this.#phase = "faults";
    let over = false;
    const load = workload.run(() => over);
    const faulty = this.#nemesis.run();
    // Whichever fails first is told; the other is not heard.
    for (const work of [load, faulty]) work.catch(() => {});
    await Promise.race([load, faulty, sleep(seconds * 1_000)]);
    this.#nemesis.stop();
    await faulty;

    this.#phase = "recovery";
    const rest = await comeToRest(cluster, this.#history, bound, this.#nemesis, async () => {
      over = true;
      await load;
    });
    this.#phase = "comparison";
    const compared = await compareReplicas(cluster, bound);
    await workload.readAll();
    problems.push(...rest.problems, ...compared.problems);
    this.#phase = "closing";
    await cluster.close();
    const { live, agreed } = rest;
    const { lateStarts } = this.#nemesis;
    return { problems, live, agreed, read: compared.read, halts: this.#halts, lateStarts };
  }

  #createWorker(node) {
    const worker = this.#host.createWorker(node);
    const stoppable = new Stoppable(worker, patience);
    this.#workers.set(node, stoppable);
    const terminate = worker.terminate.bind(worker);
    worker.terminate = () => {
      stoppable.over();
      if (this.#workers.get(node) === stoppable) this.#workers.delete(node);
      return terminate();
    };
    return worker;
  }

  /** Asks the driver, and resolves when this thread has stood still. */
  async #suspend(ms) {
    this.#wish = ms;
    const end = performance.now() + patience;
    for (let last = performance.now(); ; ) {
      await sleep(10);
      const now = performance.now();
      if (now - last > ms / 2) return;
      if (now > end) throw new Error(`the host was not suspended for ${ms} ms`);
      last = now;
    }
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
