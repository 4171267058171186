// A sharded store with so many groups that has nothing to do, in a process of its own:  node process.mjs DIRECTORY GROUPS MS

import { Worker } from "node:worker_threads";
import { ShardedCluster } from "quorate/shards";
import { sleep } from "../life/steps.mjs";

const [directory, ...words] = process.argv.slice(2);
const [groups, ms] = words.map(Number);
/** As many as a store is founded with; more join one by one. */
const FOUNDED = 64;
const timeout = 120_000;
/** Frames with messages of one group, of several, and beats: see the wire format. */
const [MESSAGES, OF_GROUPS, BEAT] = [1, 4, 5];
const KINDS = 256;
/** How long no group may have said anything to be asleep, and how long they have until then. */
const SILENCE_MS = 2_000;
const SLEEP_MS = 60_000;

const memory = new SharedArrayBuffer(4 * KINDS);
const counts = new Int32Array(memory);
const createWorker = () =>
  new Worker(new URL("worker.mjs", import.meta.url), { workerData: memory });
const open = () =>
  ShardedCluster.open({
    ...{ name: "bench", directory, createWorker, deadline: timeout },
    groups: Math.min(groups, FOUNDED),
  });

/** Since when this was asked for: until it is open, and until a put of every shard is answered. */
async function start() {
  const began = performance.now();
  const store = await open();
  const opened = performance.now() - began;
  await Promise.all(keysOf(store).map((key) => store.kv.put(key, 1, { timeout })));
  return { store, opened, answered: performance.now() - began };
}

/** A key of each shard. */
function keysOf({ shards }) {
  const keys = new Map();
  for (let number = 0; keys.size < shards.count; number++)
    keys.set(shards.of(`key/${number}`), `key/${number}`);
  return [...keys.values()];
}

const said = () => Atomics.load(counts, MESSAGES) + Atomics.load(counts, OF_GROUPS);

/** Resolves when no group has said anything for a while; how long until the last one had. */
async function asleep() {
  const began = performance.now();
  for (let last = began, before = said(); performance.now() - last < SILENCE_MS; await sleep(20)) {
    if (said() === before) continue;
    [last, before] = [performance.now(), said()];
    if (last - began > SLEEP_MS) throw new Error(`not all groups sleep after ${SLEEP_MS / 1000} s`);
  }
  return performance.now() - began - SILENCE_MS;
}

const founded = await start();
const joining = performance.now();
const more = Array.from({ length: groups - Math.min(groups, FOUNDED) });
await Promise.all(more.map(() => founded.store.groups.add({ timeout })));
const joined = performance.now() - joining;
await founded.store.close();

const { store, opened, answered } = await start();
const there = store.groups.list().length;
if (there !== groups) throw new Error(`there are ${there} groups, and not ${groups}`);
if (said() === 0) throw new Error("no frames were counted");
const slept = await asleep();
const frames = [said(), Atomics.load(counts, BEAT)];
const began = performance.now();
const before = process.cpuUsage();
await sleep(ms);
const { user, system } = process.cpuUsage(before);
const elapsed = performance.now() - began;
const [messages, beats] = [said() - frames[0], Atomics.load(counts, BEAT) - frames[1]];
await store.close();

console.log(
  JSON.stringify({
    groups,
    founded: { opened: founded.opened, answered: founded.answered },
    ...(more.length > 0 && { joined, joins: more.length }),
    again: { opened, answered },
    slept,
    part: (user + system) / 1000 / elapsed,
    messagesPerSecond: (messages * 1000) / elapsed,
    beatsPerSecond: (beats * 1000) / elapsed,
  }),
);
