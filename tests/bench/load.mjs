// The load, the same in a browser and on Node: so many calls under way at a time, for so long.

/** Sizes of values in bytes, the last of which is the largest that the store takes; and calls in flight. */
export const sizes = [16, 256, 65_536, 1 << 20];
export const depths = [1, 16, 256, 1024];
const gotSizes = [16, 65_536];

/** A client takes no more at once, keys and all (`TOO_MANY_CALLS`): such puts are left out. */
const OPEN_BYTES = 64 << 20;
export const isLeftOut = (size, depth) => size * depth >= OPEN_BYTES;

/** All values of one size together have at most this much, in at most a thousand keys. */
const KEPT_BYTES = 4 << 20;

/** Percentiles need so many calls; a cell takes up to three times as long to get them. */
const P95_CALLS = 20;
const P99_CALLS = 100;

/** Calls until `ms` have passed; what it took. `call(number)` resolves when it is answered. */
export async function press(call, depth, ms) {
  const latencies = [];
  const began = performance.now();
  const isDue = (now) => now - began < (latencies.length < P99_CALLS ? 3 * ms : ms);
  let next = 0;
  const worker = async () => {
    for (let now = performance.now(); isDue(now); ) {
      await call(next++);
      const after = performance.now();
      latencies.push(after - now);
      now = after;
    }
  };
  await Promise.all(Array.from({ length: depth }, worker));
  return summarize(latencies, performance.now() - began);
}

/** A percentile of too few calls is not there. */
function summarize(latencies, elapsed) {
  latencies.sort((a, b) => a - b);
  const count = latencies.length;
  const at = (part) => latencies[Math.min(count - 1, Math.floor(count * part))];
  return {
    perSecond: (count * 1000) / elapsed,
    count,
    mean: latencies.reduce((sum, latency) => sum + latency, 0) / count,
    p50: at(0.5),
    ...(count >= P95_CALLS && { p95: at(0.95) }),
    ...(count >= P99_CALLS && { p99: at(0.99) }),
  };
}

/** All cells of a cluster, from `Cluster` of the package: puts of bytes, and how many shared a round of the leader's writes; and gets. */
export async function pressCluster(cluster, ms) {
  const kv = cluster.kv.as("bytes");
  const timeout = 60_000;
  const rounds = async () => {
    const leader = await cluster.leader();
    return { leader, count: (await cluster.node(leader).status()).storage.rounds };
  };
  const puts = [];
  const gets = [];
  let stages;
  for (const size of sizes) {
    const value = new Uint8Array(size).fill(7);
    const keys = Math.min(1000, KEPT_BYTES / size);
    const put = (number) => kv.put(`key/${number % keys}`, value, { timeout });
    const get = (number) => kv.get(`key/${number % keys}`, { timeout });
    await Promise.all(Array.from({ length: keys }, (_, number) => put(number)));
    for (const depth of depths.filter((depth) => !isLeftOut(size, depth))) {
      if (size < 65_536) await press(put, depth, ms / 5);
      const before = await rounds();
      const result = await press(put, depth, ms);
      const after = await rounds();
      // Of one leader only: another one counts its own.
      const shared =
        after.leader === before.leader
          ? result.count / Math.max(1, after.count - before.count)
          : undefined;
      puts.push({ size, depth, ...result, shared });
    }
    stages ??= [await pressAlone(cluster, put, ms)];
    if (!gotSizes.includes(size)) continue;
    for (const depth of depths) {
      await press(get, depth, ms / 5);
      gets.push({ size, depth, ...(await press(get, depth, ms)) });
    }
  }
  return { puts, gets, stages };
}

/** Puts one by one: the means of what the caller waits for, and of what the nodes say they were doing meanwhile, in milliseconds. */
async function pressAlone(cluster, put, ms) {
  const leader = await cluster.leader();
  const before = await cluster.metrics();
  const { mean } = await press(put, 1, ms);
  const after = await cluster.metrics();
  const during = (name, isAsked) => {
    const sums = { sum: 0, count: 0 };
    for (const [at, { id, metrics }] of after.nodes.entries()) {
      if (!isAsked(id)) continue;
      const { sum, count } = before.nodes[at].metrics[name];
      sums.sum += metrics[name].sum - sum;
      sums.count += metrics[name].count - count;
    }
    return (1000 * sums.sum) / sums.count;
  };
  return {
    put: mean,
    commit: during("commit", (id) => id === leader),
    leader: during("persist", (id) => id === leader),
    followers: during("persist", (id) => id !== leader),
  };
}

/** How long one thing takes, done one after another for `ms`. */
export async function pace(work, ms) {
  for (let warm = 0; warm < 5; warm++) await work();
  return (await press(work, 1, ms)).p50;
}
