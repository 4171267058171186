// The load, the same in a browser and on Node: so many puts under way at a time, for so long.

/** Sizes of values in bytes, and puts in flight. */
export const sizes = [16, 1024, 65536];
export const depths = [1, 16, 256];

/** Puts until `ms` have passed; what it took. `put(number)` resolves when its put is answered. */
export async function press(put, depth, ms) {
  const latencies = [];
  const began = performance.now();
  let next = 0;
  const worker = async () => {
    for (let now = performance.now(); now - began < ms; ) {
      await put(next++);
      const after = performance.now();
      latencies.push(after - now);
      now = after;
    }
  };
  await Promise.all(Array.from({ length: depth }, worker));
  return summarize(latencies, performance.now() - began);
}

export function summarize(latencies, elapsed) {
  latencies.sort((a, b) => a - b);
  const at = (part) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))];
  return {
    perSecond: (latencies.length * 1000) / elapsed,
    count: latencies.length,
    p50: at(0.5),
    p99: at(0.99),
  };
}

/** All cells of a cluster, from `Cluster` of the package: puts of bytes, and how many shared a round of the leader's writes. */
export async function pressCluster(cluster, ms) {
  const kv = cluster.kv.as("bytes");
  const rounds = async () => {
    const leader = await cluster.leader();
    return (await cluster.node(leader).status()).storage.rounds;
  };
  const cells = [];
  for (const size of sizes) {
    const value = new Uint8Array(size).fill(7);
    const put = (number) => kv.put(`key/${number % 1000}`, value, { timeout: 60_000 });
    for (const depth of depths) {
      await press(put, depth, ms / 5);
      const before = await rounds();
      const result = await press(put, depth, ms);
      const shared = result.count / Math.max(1, (await rounds()) - before);
      cells.push({ size, depth, ...result, shared });
    }
  }
  return cells;
}

/** How long one thing takes, done one after another for `ms`. */
export async function pace(work, ms) {
  for (let warm = 0; warm < 5; warm++) await work();
  return (await press(work, 1, ms)).p50;
}
