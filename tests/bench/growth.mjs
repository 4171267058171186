// How cost grows: with the length of the log, the number of keys, the lag of a node, and the size of a snapshot.

import { answer, which } from "../../scripts/lib/run.mjs";
import { buildWork, instructions, words } from "../work/count.mjs";
import { measureKeys } from "./growth/keys.mjs";
import { measureLag } from "./growth/lag.mjs";
import { measureSnapshots } from "./growth/snapshots.mjs";
import { count, medians, print, time, times } from "./table.mjs";

const work = { nodes: 3, window: 256, size: 16 };
const log = "bench.log";

/** What a usual run has the time for, and what it leaves to `--long`. */
const usual = {
  lengths: [1e3, 1e4, 1e5, 1e6, 1e7],
  counted: [1e3, 1e4, 1e5],
  keys: [1e3, 1e4, 1e5],
  lags: [
    { entries: 800, size: 16, share: 1 },
    { entries: 100_000, size: 16, share: 1 },
    { entries: 100, size: 16 << 10, share: 64 },
  ],
  sizes: [10, 100],
};
const long = {
  ...usual,
  counted: [...usual.counted, 1e6],
  keys: [...usual.keys, 1e6],
  lags: [...usual.lags, { entries: 1_000_000, size: 16, share: 1 }],
  sizes: [...usual.sizes, 500],
};

/** Measures all of it. */
export async function measureGrowth(ms, repeat, isLong) {
  const missing = isLong
    ? []
    : ["1,000,000 keys, a lag of as many entries, and a snapshot of 500 MiB: with --long"];
  const { lengths, counted, keys, lags, sizes } = isLong ? long : usual;
  return {
    lengths: await measureLengths(lengths, counted, repeat, missing),
    keys: await measureKeys(keys, ms / 2, repeat),
    lag: await measureLag(lags, ms / 3),
    snapshots: await measureSnapshots(sizes),
    missing,
  };
}

/** The core alone, natively: logs of so many entries, cut at snapshots. */
async function measureLengths(lengths, counted, repeat, missing) {
  const driver = await buildWork(log);
  const hasValgrind = which("valgrind") !== undefined;
  if (!hasValgrind) missing.push("instructions: valgrind is not installed");
  const rows = [];
  for (const entries of lengths) {
    // So often that a short log is more than a moment's work; the first pays for what all need.
    const often = String(Math.max(repeat, Math.round(1e6 / entries)) + 1);
    const lines = answer(driver, [...words(work, entries), "0", often]).split("\n");
    const runs = lines.slice(1).map((line) => JSON.parse(line));
    const { secs, cpu_secs, peak_kib } = medians(runs);
    // The system counts whole ticks: what is over sooner is told by the clock alone.
    const seconds = cpu_secs > 0.1 ? cpu_secs : secs;
    const row = { entries, micros: (seconds * 1e6) / entries, peakBytes: peak_kib * 1024 };
    if (hasValgrind && counted.includes(entries))
      row.instructions = await instructions(driver, work, [entries, entries + 10_000]);
    rows.push(row);
  }
  return rows;
}

export function printGrowth({ lengths, keys, lag, snapshots, missing }) {
  const [shortest] = lengths;
  print(
    "The core alone, natively: a log of so many entries of 16 B, 256 in flight, three nodes",
    ["entries", "time/entry", "of the shortest's", "instructions/entry", "memory"],
    lengths.map(({ entries, micros, instructions, peakBytes }) => [
      count(entries),
      `${micros.toFixed(2)} µs`,
      times(micros / shortest.micros),
      instructions === undefined ? "" : count(instructions),
      size(peakBytes),
    ]),
  );

  const [fewest] = keys;
  print(
    "Three threads on Node: 256 calls in flight at stores of so many keys, values of 16 B",
    ["keys", "puts/s", "of the smallest's", "CPU", "gets/s", "of the smallest's", "CPU", "memory"],
    keys.map((row) => [
      count(row.keys),
      count(row.putsPerSecond),
      times(row.putsPerSecond / fewest.putsPerSecond),
      `${row.putMicros.toFixed(0)} µs`,
      count(row.getsPerSecond),
      times(row.getsPerSecond / fewest.getsPerSecond),
      `${row.getMicros.toFixed(0)} µs`,
      size(row.rssBytes),
    ]),
  );

  const { portBytesPerSecond, durableMs, chunkBytes } = lag.floor;
  const floor = (chunkBytes * 1000) / (durableMs + (chunkBytes * 1000) / portBytesPerSecond);
  print(
    `A node that was away, and comes back while others write; a port alone takes ${size(portBytesPerSecond)}/s, port and disk by turns ${size(floor)}/s`,
    ["entries", "puts of each", "by", "bytes", "start", "caught up", "bytes/s", "of port and disk"],
    lag.rows.map((row) => [
      count(row.entries),
      `${row.share} × ${size(row.size)}`,
      row.by,
      size(row.bytes),
      time(row.startMs),
      time(row.caughtUpMs),
      `${size(row.bytesPerSecond)}/s`,
      times(row.bytesPerSecond / floor),
    ]),
  );
  print(
    "What that costs the others: puts in a second, 256 in flight",
    ["entries", "before", "while it is away", "while it catches up"],
    lag.rows.map((row) => [
      count(row.entries),
      count(row.beforePerSecond),
      count(row.alonePerSecond),
      count(row.duringPerSecond),
    ]),
  );

  print(
    "Snapshots, with four puts of 16 KiB and a get under way: the longest turn of a worker, and the slowest calls, while one is written and while none is",
    [
      "store",
      "written in",
      "turn",
      "else",
      "CPU",
      "get p99",
      "slowest",
      "else",
      "put p99",
      "slowest",
      "else",
    ],
    snapshots.map(({ storeBytes, writeMs, turn, get, put }) => [
      size(storeBytes),
      time(writeMs),
      time(turn.during.own),
      time(turn.else.own),
      time(turn.during.ran),
      ...[get, put].flatMap((calls) => [
        time(calls.during.p99),
        time(calls.during.max),
        time(calls.else.max),
      ]),
    ]),
  );
  print(
    "What it takes to start with such a store",
    [
      "store",
      "a node runs",
      "and is caught up",
      "a cluster is open",
      "and has put",
      "memory of three",
    ],
    snapshots.map((row) => [
      size(row.storeBytes),
      time(row.startMs),
      time(row.restartMs),
      time(row.openMs),
      time(row.reopenMs),
      size(row.rssBytes),
    ]),
  );
  for (const what of missing) console.log(`\nNot measured: ${what}`);
}

/** Bytes as a person reads them. */
function size(bytes) {
  const step = [2 ** 30, 2 ** 20, 2 ** 10].find((step) => bytes >= step) ?? 1;
  const name = { [2 ** 30]: "GiB", [2 ** 20]: "MiB", [2 ** 10]: "KiB", 1: "B" }[step];
  const number = bytes / step;
  return `${number.toFixed(step > 1 && number < 10 ? 1 : 0)} ${name}`;
}
