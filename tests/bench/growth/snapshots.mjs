// What snapshots cost a store that is asked all the while, and how long nodes take to start that have much to read.

import { fill, inDirectory, key, openObserved, until } from "./observed.mjs";

const SIZE = 16 << 10;
const MiB = 1 << 20;

/** One row for each size in MiB. */
export async function measureSnapshots(sizes) {
  const rows = [];
  for (const size of sizes) rows.push(await inDirectory((directory) => measure(directory, size)));
  return rows;
}

async function measure(directory, size) {
  const { cluster, ask } = await openObserved(directory, "snapshots");
  const kv = cluster.kv.as("bytes");
  const count = Math.floor((size * MiB) / SIZE);
  await fill(kv, 0, count, SIZE);
  const nodes = cluster.nodes.map(({ id }) => id);
  const written = async () =>
    (await cluster.metrics()).nodes.map(({ metrics }) => metrics.snapshots.written);
  const load = press(kv, count);
  // Until each node has written one more, which the filling or this load was reason for.
  await load.until(300);
  for (const node of nodes) await ask(node);
  const before = await written();
  await until(async () => (await written()).every((number, at) => number > before[at]), 50);
  await load.until(300);
  const calls = await load.end();
  const noted = await Promise.all(nodes.map(ask));
  const { metrics } = (await cluster.metrics()).nodes[0];
  const spans = noted.flatMap(({ snapshots }) => snapshots);
  const row = {
    storeBytes: metrics.store.bytes,
    writeMs: Math.max(...spans.map(({ start, end }) => end - start)),
    turn: longest(noted),
    ...slowest(calls, spans),
  };

  const leader = await cluster.leader();
  const follower = nodes.find((node) => node !== leader);
  await cluster.node(follower).kill();
  const { applied } = await cluster.node(leader).status();
  const began = performance.now();
  await cluster.node(follower).start();
  row.startMs = performance.now() - began;
  row.restartMs =
    row.startMs +
    (await until(async () => (await cluster.node(follower).status()).applied >= applied));
  await cluster.close();
  const reopening = performance.now();
  const again = await openObserved(directory, "snapshots");
  row.openMs = performance.now() - reopening;
  await again.cluster.kv.as("bytes").put(key(0), new Uint8Array(SIZE));
  row.reopenMs = performance.now() - reopening;
  row.rssBytes = process.memoryUsage.rss();
  await again.cluster.close();
  return row;
}

/** Four writers and a reader of one key each at a time, and what each call took. */
function press(kv, count) {
  const value = new Uint8Array(SIZE).fill(8);
  const calls = { get: [], put: [] };
  let [going, next] = [true, 0];
  const at = () => key((next++ * 7919) % count);
  const worker = async (name, call) => {
    while (going) {
      const start = performance.timeOrigin + performance.now();
      await call();
      calls[name].push({ start, end: performance.timeOrigin + performance.now() });
    }
  };
  const workers = [
    ...Array.from({ length: 4 }, () => worker("put", () => kv.put(at(), value))),
    worker("get", () => kv.get(at())),
  ];
  return {
    until: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    end: async () => {
      going = false;
      await Promise.all(workers);
      return calls;
    },
  };
}

/** The longest turn of any node, by the clock and by the processor, while a snapshot was written and while none was. */
function longest(noted) {
  const figures = {};
  for (const during of [true, false]) {
    const turns = noted.flatMap(({ turns, snapshots }) =>
      turns.filter(
        ({ end, waited }) =>
          during === snapshots.some((span) => end > span.start && end - waited < span.end),
      ),
    );
    const most = (figure) => Math.max(0, ...turns.map((turn) => turn[figure]));
    figures[during ? "during" : "else"] = {
      waited: most("waited"),
      own: most("own"),
      ran: most("ran"),
    };
  }
  return figures;
}

/** The slowest of each call, and the median, while any node wrote a snapshot and while none did. */
function slowest(calls, spans) {
  const figures = {};
  for (const [name, list] of Object.entries(calls)) {
    figures[name] = {};
    for (const during of [true, false]) {
      const took = list
        .filter(
          ({ start, end }) => during === spans.some((span) => end > span.start && start < span.end),
        )
        .map(({ start, end }) => end - start)
        .sort((a, b) => a - b);
      figures[name][during ? "during" : "else"] = {
        count: took.length,
        p50: took[took.length >> 1],
        p99: took[Math.floor(took.length * 0.99)],
        max: took.at(-1),
      };
    }
  }
  return figures;
}
