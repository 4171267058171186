// Jobs in a page, as the test says. `?workers=` names the preamble of the workers for tasks.

const variant = new URLSearchParams(location.search).get("workers") ?? "plain";
if (variant === "blobs") delete globalThis.StorageManager?.prototype.getDirectory;
const { MapReduceCluster } = await import(`./${variant}/mapreduce.js`);
const { Cluster } = await import(`./${variant}/auto.js`);

const { labs } = await import("./labs.mjs");

const encoder = new TextEncoder();
let cluster;
let running;

/** Something of every kind that a job takes, from what the test can say. */
const inputs = {
  blob: (text) => new Blob([text]),
  file: ({ name, text }) => new File([text], name),
  bytes: (text) => encoder.encode(text),
  url: (url) => new URL(url, location.href),
  response: (url) => fetch(url),
  fetched: async (url) => (await fetch(url)).blob(),
  broken: () =>
    new ReadableStream({
      pull: () => {
        throw new Error("it breaks");
      },
    }),
  stream: (text) => {
    const bytes = encoder.encode(text);
    let at = 0;
    return new ReadableStream({
      pull: (controller) => {
        // Pieces that end within characters.
        controller.enqueue(bytes.slice(at, at + 1_021));
        at += 1_021;
        if (at >= bytes.length) controller.close();
      },
    });
  },
};

const inputOf = (all) =>
  Promise.all(all.map((one) => Object.entries(one).map(([kind, of]) => inputs[kind](of))[0]));

async function begin({ input, job, ...options }) {
  return cluster.mapReduce({
    ...options,
    input: await inputOf(input),
    job: /[./:]/.test(job) ? new URL(job, location.href) : job,
  });
}

const told = ({ code, message, task, record, cause }) => ({
  ...{ code, message, task, record },
  cause: cause?.code,
});

async function outcomeOf(job) {
  try {
    const { outputs, counters } = await job.result();
    return { texts: await Promise.all(outputs.map((output) => output.text())), counters };
  } catch (error) {
    return { error: told(error) };
  }
}

/** The node that leads is killed, and started again. */
async function killLeader() {
  const all = await Promise.all(cluster.nodes.map((node) => node.status()));
  const node = cluster.node(all.find(({ role }) => role === "leader").id);
  await node.kill();
  return () => node.start();
}

/** Files of the scratch storage, wherever they are. */
async function stored(name) {
  const found = [];
  const walk = async (folder, path) => {
    for await (const [name, entry] of folder.entries()) {
      found.push(`${path}/${name}`);
      if (entry.kind === "directory") await walk(entry, `${path}/${name}`);
    }
  };
  const root = await navigator.storage?.getDirectory?.().catch(() => undefined);
  const own = await root?.getDirectoryHandle("quorate-scratch").catch(() => undefined);
  const files = await own?.getDirectoryHandle(name).catch(() => undefined);
  if (files !== undefined) await walk(files, "");
  const databases = await indexedDB.databases();
  if (!databases.some((database) => database.name === `quorate-scratch/${name}`)) return found;
  const database = await answer(indexedDB.open(`quorate-scratch/${name}`));
  const store = database.transaction("files").objectStore("files");
  found.push(...(await answer(store.getAllKeys())).map((key) => `${key} of the database`));
  database.close();
  return found;
}

const answer = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

globalThis.moves = {
  open: async (options) => {
    cluster = await MapReduceCluster.open(options);
    return cluster.workers.count;
  },
  close: () => cluster.close(),
  /** How many workers there are on a machine of so many processors. */
  workersOf: async (processors) => {
    Object.defineProperty(Navigator.prototype, "hardwareConcurrency", {
      get: () => processors,
      configurable: true,
    });
    const one = await MapReduceCluster.open({ name: "processors", nodes: 1, storage: "memory" });
    const { count } = one.workers;
    await one.close();
    return count;
  },
  run: async (options) => {
    try {
      running = await begin(options);
    } catch (error) {
      return { error: told(error) };
    }
    return { id: running.id, ...(await outcomeOf(running)) };
  },
  /** Begins a job, and comes back when so many of its map tasks are done. */
  beginUntil: async ([options, tasks]) => {
    running = await begin(options);
    for await (const { map } of running.progress) if (map.completed >= tasks) break;
    return running.id;
  },
  resume: async ([id, input]) => {
    const known = await cluster.resume(id, { input: await inputOf(input) });
    return { ...(await outcomeOf(known)), history: await known.history() };
  },
  resumeWithout: (id) => cluster.resume(id).then(() => "resumed", told),
  /** Runs a job; a worker dies at each of these counts of map tasks that are done, and at the second one the leader. */
  harass: async ([options, counts]) => {
    running = await begin(options);
    const left = [...counts];
    let start = async () => {};
    for await (const { map, phase } of running.progress) {
      if (phase !== "mapping" || map.completed < left[0]) continue;
      left.shift();
      const busy = cluster.workers.list().find(({ task }) => task !== null);
      if (busy !== undefined) await cluster.workers.kill(busy.id);
      if (left.length === counts.length - 2) start = await killLeader();
      if (left.length === 0) break;
    }
    await start();
    return { ...(await outcomeOf(running)), history: await running.history(), left };
  },
  /** Runs a job whose results go to a store; what is in it then. */
  publish: async (options) => {
    const store = await Cluster.open({ name: "results", nodes: 1, storage: "memory" });
    const output = { kv: store.kv, prefix: "out" };
    const job = await begin({ ...options, output });
    const { error } = await outcomeOf(job);
    const { entries } = await store.kv.range({ prefix: "" });
    await store.close();
    return { id: job.id, error, entries: entries.map(({ key, value }) => [key, value]) };
  },
  /** A scenario of the labs, which throws if something is not as it has to be. */
  lab: (name) => labs[name](cluster, (job) => new URL(`jobs/${job}.mjs`, location.href)),
  forget: (id) => cluster.forget(id),
  forgetAll: async () => {
    for (const { id } of await cluster.jobs()) await cluster.forget(id);
  },
  stored,
};
