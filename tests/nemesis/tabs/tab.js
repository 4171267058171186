// A tab with a node and some clients, or the one that writes down what all of them were told: a tab can die at any time.

import { broadcastChannel, Node } from "quorate";
import { History, toLines } from "../history.mjs";
import { Stoppable } from "../stop.mjs";
import { Workload } from "../workload.mjs";

/** Calls of one tab have ids and clients of its own. */
const CALLS = 1_000_000;
/** By so much the clocks of two tabs may differ, in milliseconds: a call may have been under way so much longer. */
const SKEW = 2;
const channel = new BroadcastChannel("nemesis-history");

/** Tells the one that writes down. */
class Told extends History {
  #next;
  #waiting = new Map();

  constructor(number) {
    super();
    this.#next = number * CALLS;
  }

  /** Of one clock for all tabs. */
  now() {
    return performance.timeOrigin + performance.now();
  }

  /** Before the call is made: what a tab said last can be lost when it dies, while what it asked for takes effect. */
  begun(line) {
    line.id = this.#next++;
    return new Promise((resolve) => {
      this.#waiting.set(line.id, resolve);
      channel.postMessage({ begun: line });
    });
  }

  heard(id) {
    this.#waiting.get(id)?.();
    this.#waiting.delete(id);
  }

  ended({ id }, known) {
    channel.postMessage({ ended: id, known });
  }
}

/** Hears what the tabs tell. */
function recorder() {
  const calls = new Map();
  const problems = [];
  channel.onmessage = ({ data: { begun, ended, known, problem } }) => {
    if (problem !== undefined) problems.push(problem);
    else if (begun !== undefined) {
      calls.set(begun.id, begun);
      channel.postMessage({ heard: begun.id });
    } else if (known === undefined) calls.delete(ended);
    else calls.set(ended, known);
  };
  return {
    counts: () => {
      const all = [...calls.values()];
      return {
        calls: all.length,
        known: all.filter(({ return: end }) => end > 0).length,
        notApplied: all.filter(({ return: end, ok }) => end === null && ok === false).length,
        problems,
      };
    },
    /** As the judge reads it. Of a call that was told to begin and not to end, everything is possible. */
    history: () =>
      toLines(
        [...calls.values()]
          .filter(({ op, return: end }) => op !== "get" || end > 0)
          .map((line) => ({
            ...line,
            call: line.call - SKEW,
            return: line.return > 0 ? line.return + SKEW : null,
            ok: line.ok ?? null,
          })),
      ),
  };
}

/** A node and its clients. */
function participant() {
  let node;
  let stoppable;
  let workload;
  let history;
  let last;
  let over = false;
  let load;
  const createWorker = () => {
    const worker = new Worker("worker.js", { type: "module" });
    stoppable = new Stoppable(worker, 15_000);
    return worker;
  };
  const fail = (what) => (error) =>
    channel.postMessage({ problem: `${what}: ${error?.stack ?? error}` });
  return {
    join: async ({ number, seed, deadline }) => {
      node = await Node.open({
        cluster: "nemesis",
        transport: broadcastChannel(),
        createWorker,
        deadline,
      });
      node.addEventListener("halted", ({ detail: { reason } }) => {
        channel.postMessage({ problem: `halted: ${reason.code}: ${reason.message}` });
      });
      history = new Told(number);
      channel.onmessage = ({ data }) => history.heard(data.heard);
      last = (number + 1) * CALLS - 1;
      const share = { clients: 2, first: number * CALLS };
      workload = new Workload(node.kv, history, seed * 1_000 + number, share);
      load = workload.run(() => over);
      load.catch(fail("load"));
      return { id: node.id, origin: node.origin };
    },
    /** Lets the node's worker stand still. */
    hang: (ms) => void stoppable.freeze(ms),
    /** Ends the load, and tells what a write and a read of everything come to. */
    finish: async (timeout) => {
      over = true;
      await load;
      const call = { client: last, op: "put", key: `live-${node.id}`, value: "yes" };
      const put = () => node.kv.as("utf8").put(call.key, call.value, { timeout });
      const outcome = await history.record(call, async () => void (await put()));
      await workload.readAll();
      return outcome;
    },
  };
}

globalThis.tab = location.hash === "#recorder" ? recorder() : participant();
