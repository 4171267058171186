// A node that was away while others wrote: how long until it has what they had when it came back, and what that costs those who write.

import { Worker } from "node:worker_threads";
import { durableWrites } from "../node.mjs";
import { fill, inDirectory, key, openObserved, until } from "./observed.mjs";

const IN_FLIGHT = 256;
/** What a node sends of a snapshot at a time. */
const CHUNK = 256 << 10;

/**
 * One row for each lag, so many `entries` that put `share` values of `size` bytes each, and the floor: what ports and the disk take by
 * themselves.
 */
export async function measureLag(lags, ms) {
  const rows = [];
  for (const lag of lags) rows.push(await inDirectory((directory) => measure(directory, lag, ms)));
  const durableMs = await inDirectory((directory) => durableWrites(1, directory, CHUNK, ms / 4));
  return {
    rows,
    floor: { chunkBytes: CHUNK, portBytesPerSecond: await portSpeed(ms / 4), durableMs },
  };
}

async function measure(directory, { entries, size, share }, ms) {
  const { cluster } = await openObserved(directory, "lag");
  const kv = cluster.kv.as("bytes");
  const value = new Uint8Array(16).fill(7);
  let next = 0;
  const put = () => kv.put(key(next++), value);
  await pressFor(put, ms / 5);
  const before = await pressFor(put, ms);

  const leader = await cluster.leader();
  const { id } = cluster.nodes.find((node) => node.id !== leader);
  const applied = async (node) => (await cluster.node(node).status()).applied;
  const away = await applied(leader);
  await cluster.node(id).kill();
  const end = next + entries;
  if (share === 1) await pressUntil(put, () => next >= end);
  else await fill(kv, next, entries * share, size, share);
  const goal = await applied(leader);
  const alone = await pressFor(put, ms);

  const began = performance.now();
  let [puts, caughtUp] = [0, false];
  const others = pressUntil(
    () => put().then(() => puts++),
    () => caughtUp,
  );
  const node = cluster.node(id);
  await node.start();
  const startMs = performance.now() - began;
  await until(async () => (await node.status()).applied >= goal);
  const caughtUpMs = performance.now() - began;
  const duringPerSecond = (puts * 1000) / caughtUpMs;
  caughtUp = true;
  await others;
  const { peers, snapshots } = await node.metrics();
  await cluster.close();
  const bytes = peers.reduce((sum, peer) => sum + peer.receivedBytes, 0);
  return {
    entries: goal - away,
    size,
    share,
    by: snapshots.installed > 0 ? "snapshot" : "log",
    bytes,
    startMs,
    caughtUpMs,
    bytesPerSecond: (bytes * 1000) / (caughtUpMs - startMs),
    beforePerSecond: before.perSecond,
    alonePerSecond: alone.perSecond,
    duringPerSecond,
  };
}

async function pressFor(put, ms) {
  const began = performance.now();
  let count = 0;
  await pressUntil(
    () => put().then(() => count++),
    () => performance.now() - began >= ms,
  );
  return { count, perSecond: (count * 1000) / (performance.now() - began) };
}

async function pressUntil(put, holds) {
  const worker = async () => {
    while (!holds()) await put();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

/** Bytes that buffers of a chunk's size bring to another thread in a second, each transferred as soon as the one before it came back. */
async function portSpeed(ms) {
  const echo = `
    const { parentPort } = require("node:worker_threads");
    parentPort.on("message", (data) => parentPort.postMessage(data, [data]));`;
  const worker = new Worker(echo, { eval: true });
  let [bytes, began] = [0, 0];
  await new Promise((resolve) => {
    worker.on("message", (data) => {
      const now = performance.now();
      if (began === 0) began = now;
      else bytes += CHUNK;
      if (now - began >= ms) return resolve();
      worker.postMessage(data, [data]);
    });
    const data = new ArrayBuffer(CHUNK);
    worker.postMessage(data, [data]);
  });
  const speed = (bytes * 1000) / (performance.now() - began);
  await worker.terminate();
  return speed;
}
