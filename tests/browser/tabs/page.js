// A tab with a node, and what a test wants of it. Errors go out by their codes.

import { broadcastChannel, Cluster, messagePort, Node, sharedWorker } from "quorate";
import { transportCases } from "quorate/testing";

let node;
let cluster;
/** The node's worker, and what it waits for while it hangs. */
let worker;
let end;
const told = [];
/** For each time that this page was shown, whether it had been kept for later. */
const shown = [];
addEventListener("pageshow", ({ persisted }) => shown.push(persisted));
const plain = async (work) => {
  try {
    return { value: await work() };
  } catch (error) {
    return { code: error.code ?? String(error) };
  }
};

globalThis.tab = {
  /** `unfounded`: the node is never told to found its cluster. */
  open: ({ shared = false, unfounded = false, machine, ...options } = {}) =>
    plain(async () => {
      const createWorker = () => {
        worker = new Worker("worker.js", { type: "module" });
        const post = worker.postMessage.bind(worker);
        worker.postMessage = (message, transfer) =>
          (unfounded && message.type === "begin") || post(message, transfer);
        return worker;
      };
      const way = shared
        ? { transport: sharedWorker() }
        : { transport: broadcastChannel(), createWorker };
      const what = machine === undefined ? {} : { machine: new URL(machine, location.href) };
      // Machines are busy; what is tested is not how soon.
      node = await Node.open({ cluster: "tabs", deadline: 50_000, ...way, ...what, ...options });
      for (const type of ["halted", "leaderchange", "nodeup", "nodedown"])
        node.addEventListener(type, ({ detail }) =>
          told.push({ type, code: detail.reason?.code, ...detail }),
        );
      return { id: node.id, origin: node.origin };
    }),
  put: (key, value, timeout = 50_000) =>
    plain(() => node.kv.put(key, value, { timeout }).then(() => true)),
  get: (key, timeout = 50_000) =>
    plain(() => node.kv.get(key, { timeout }).then((hit) => hit?.value ?? null)),
  increment: (key, timeout = 50_000) =>
    plain(() => node.kv.increment(key, 1, { timeout }).then(({ value }) => value)),
  execute: (command) => plain(() => node.execute(command, { timeout: 50_000 })),
  query: (question) => plain(() => node.query(question, { timeout: 50_000 })),
  /** From this node's own copy. */
  getHere: (key) => plain(() => node.here.get(key, { timeout: 50_000 }).then((hit) => hit?.value)),
  kill: () => plain(() => node.kill()),
  start: () => plain(() => node.start()),
  /** A cluster of the same name, all of whose nodes are this page's. */
  openCluster: () =>
    plain(async () => {
      cluster = await Cluster.open({ name: "tabs", deadline: 50_000 });
      return cluster.origin;
    }),
  /** Opens and closes a node with this id that founds a cluster by itself; what is in its store, and where from. */
  foundAlone: (id) =>
    plain(async () => {
      const alone = await Node.open({ cluster: "tabs", id, found: true, transport: messagePort() });
      const { value } = await alone.kv.increment("n", 1);
      await alone.close();
      return `${alone.origin} ${value}`;
    }),
  closeCluster: () => plain(() => cluster.close()),
  status: () =>
    plain(async () => JSON.parse(JSON.stringify(await node.status({ timeout: 10_000 })))),
  state: () => ({ id: node?.id, state: node?.state, told, shown }),
  /** Lets the worker of this tab stand still until `unhang`. */
  hang: () => {
    end = new Int32Array(new SharedArrayBuffer(4));
    worker.postMessage({ type: "hang", end });
  },
  /** From now on there is no room for a node's database, or there is again, as far as this tab's worker goes. */
  disk: (id, full) => worker.postMessage({ type: "disk", place: `quorate/tabs/${id}`, full }),
  /** From now on no database that this tab's worker deletes ever goes, and nothing tells. */
  undying: () => worker.postMessage({ type: "undying" }),
  /** Has the shared worker fail, by an exception or a rejection. */
  breakShared: (how) => new BroadcastChannel("break").postMessage(how),
  /** Removes a node's database, as anything of the site can. */
  remove: (id) =>
    new Promise((resolve) => {
      const request = indexedDB.deleteDatabase(`quorate/tabs/${id}`);
      request.onsuccess = () => resolve(true);
    }),
  /** Damages the log in a node's database. */
  damage: async (id) => {
    const done = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const database = await done(indexedDB.open(`quorate/tabs/${id}`));
    const [store] = database.objectStoreNames;
    const records = database.transaction(store, "readwrite").objectStore(store);
    const key = (await done(records.getAllKeys())).find((key) => String(key).includes("log"));
    const bytes = new Uint8Array(await done(records.get(key)));
    bytes[bytes.length - 1] ^= 1;
    await done(records.put(bytes, key));
    database.close();
  },
  unhang: () => {
    Atomics.store(end, 0, 1);
    Atomics.notify(end, 0);
  },
  close: () => plain(() => node.close()),
  /** The databases of the cluster's nodes, and who holds locks. */
  look: async () => {
    const databases = await indexedDB.databases();
    const { held, pending } = await navigator.locks.query();
    return {
      waited: pending.map(({ name }) => name),
      databases: databases
        .map(({ name }) => name)
        .filter((name) => name.startsWith("quorate/tabs/"))
        .sort(),
      held: held
        .filter(({ mode }) => mode === "exclusive")
        .map(({ name }) => name)
        .sort(),
    };
  },
  /** What the suite of transports says; nothing if all is well. */
  conform: async (kind) => {
    const failures = [];
    const ported = () => {
      const transports = [messagePort(), messagePort(), messagePort()];
      for (const [a, b] of [
        [1, 2],
        [1, 3],
        [2, 3],
      ]) {
        const { port1, port2 } = new MessageChannel();
        transports[a - 1].connect(b, port1);
        transports[b - 1].connect(a, port2);
      }
      return { transports };
    };
    const cast = () => ({
      transports: [broadcastChannel(), broadcastChannel(), broadcastChannel()],
    });
    const cases = transportCases(kind === "messagePort" ? ported : cast);
    for (const { name, run } of cases)
      await run().catch((error) => failures.push(`${name}: ${error}`));
    return { failures, count: cases.length };
  },
};
