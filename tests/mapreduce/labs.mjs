// The scenarios of the labs' testers for MapReduce, with workers that are there, in a browser or on Node. Each gets an open cluster,
// and where a job's module is; it throws if something is not as it has to be.

const words = ["the", "cat", "sat", "on", "mat", "Größe", "dog", "naïve", "水", "slow"];

/** Inputs of some lines, the same each time. */
function texts(count, lines) {
  let seed = 1;
  const next = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed;
  };
  const line = () =>
    Array.from({ length: 1 + (next() % 9) }, () => words[next() % words.length]).join(" ");
  return Array.from({ length: count }, () => Array.from({ length: lines }, line).join("\n"));
}

const inputsOf = (texts) => texts.map((text) => new Blob([text]));
const encoder = new TextEncoder();

/** By the bytes of their UTF-8. */
function inOrder([first], [second]) {
  const [a, b] = [encoder.encode(first), encoder.encode(second)];
  for (let at = 0; at < Math.min(a.length, b.length); at++)
    if (a[at] !== b[at]) return a[at] - b[at];
  return a.length - b.length;
}

/** What the job's functions come to, called by a plain program: a line for each key. */
async function sequentially(url, texts) {
  const job = await import(url);
  const groups = new Map();
  for (const [number, text] of texts.entries()) {
    const context = { input: `input ${number + 1}`, count: () => {} };
    const emit = (key, value) => groups.set(key, [...(groups.get(key) ?? []), value]);
    let at = 0;
    for (const line of text.split("\n")) {
      await job.map(at, line, emit, context);
      at += encoder.encode(line).length + 1;
    }
  }
  const lines = [];
  for (const [key, values] of [...groups].sort(inOrder))
    lines.push([key, `${key}\t${await job.reduce(key, values, {})}\n`]);
  return lines;
}

/** The outputs have each key once, in order, with the result of a sequential run. */
async function same({ outputs }, expected) {
  const results = new Map(expected);
  for (const output of outputs) {
    const text = await output.text();
    const lines = text === "" ? [] : text.slice(0, -1).split("\n");
    const keys = lines.map((line) => [line.split("\t")[0]]);
    equal(keys, [...keys].sort(inOrder), "keys are in order");
    for (const [at, [key]] of keys.entries()) {
      equal(`${lines[at]}\n`, results.get(key), "the result is that of a sequential run");
      results.delete(key);
    }
  }
  equal([...results.keys()], [], "no key is missing");
}

function equal(found, expected, what) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(expected)];
  if (one !== other) throw new Error(`${what}: ${one} is not ${other}`);
}

const count = (events, wanted, of) =>
  events.filter(({ what, kind }) => what === wanted && kind === of).length;

/** At how many tasks of a kind workers were at once. */
function parallelism(events, of) {
  const busy = new Set();
  let most = 0;
  for (const { what, kind, worker } of events) {
    if (kind !== of) continue;
    if (what === "given") busy.add(worker);
    else busy.delete(worker);
    most = Math.max(most, busy.size);
  }
  return most;
}

export const labs = {
  "word count": async (cluster, job) => {
    const given = texts(5, 60);
    const url = job("words");
    const running = await cluster.mapReduce({ input: inputsOf(given), job: url, partitions: 10 });
    await same(await running.result(), await sequentially(url, given));
  },

  indexer: async (cluster, job) => {
    const given = texts(5, 4);
    const url = job("indexer");
    const running = await cluster.mapReduce({ input: inputsOf(given), job: url, partitions: 10 });
    await same(await running.result(), await sequentially(url, given));
  },

  "map parallelism": async (cluster, job) => {
    const settings = { job: job("slow"), split: 1_024, backup: false };
    const running = await cluster.mapReduce({ input: inputsOf(texts(1, 300)), ...settings });
    await running.result();
    equal(parallelism(await running.history(), "map") >= 2, true, "maps run beside one another");
  },

  "reduce parallelism": async (cluster, job) => {
    const settings = { job: job("slow-reduce"), partitions: 6, backup: false };
    const running = await cluster.mapReduce({ input: inputsOf(texts(1, 50)), ...settings });
    await running.result();
    equal(parallelism(await running.history(), "reduce") >= 2, true, "reduces run side by side");
  },

  "job count": async (cluster, job) => {
    const settings = { job: job("words"), partitions: 4, split: 1_024, backup: false };
    const running = await cluster.mapReduce({ input: inputsOf(texts(3, 100)), ...settings });
    await running.result();
    const events = await running.history();
    const { map, reduce } = (await cluster.jobs()).find(({ id }) => id === running.id);
    equal(map.total > 8, true, "there are many tasks");
    for (const [kind, { total }] of Object.entries({ map, reduce }))
      for (const what of ["given", "won"])
        equal(count(events, what, kind), total, `each ${kind} task is ${what} once`);
  },

  "early exit": async (cluster, job) => {
    const before = cluster.workers.list().map(({ id }) => id);
    const given = texts(1, 30);
    const url = job("indexer");
    const running = await cluster.mapReduce({ input: inputsOf(given), job: url, partitions: 4 });
    let wasComplete = false;
    const watching = (async () => {
      for await (const { reduce } of running.progress)
        wasComplete = reduce.completed === reduce.total;
    })();
    const result = await running.result();
    await watching;
    equal(wasComplete, true, "all is reduced when there is a result");
    const after = cluster.workers.list().map(({ id }) => id);
    equal(after, before, "nobody has left");
    await same(result, await sequentially(url, given));
  },

  crash: async (cluster, job) => {
    const given = texts(4, 60);
    const settings = {
      job: job("stalls"),
      partitions: 3,
      split: 1_024,
      lease: 1_000,
      attempts: 100,
    };
    const running = await cluster.mapReduce({ input: inputsOf(given), ...settings });
    let seen = 0;
    // Who gets each fifth task dies on it, four times over.
    for await (const { what, worker } of running.events) {
      if (what !== "given") continue;
      seen += 1;
      // It may have died already.
      if (seen % 5 === 0 && seen <= 20) await cluster.workers.kill(worker).catch(() => {});
    }
    const died = (await running.history()).filter(({ what }) => what === "died");
    equal(died.length > 0, true, "workers died on tasks");
    await same(await running.result(), await sequentially(job("words"), given));
  },
};
