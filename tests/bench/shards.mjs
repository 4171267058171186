// A sharded store on three threads of Node: what more groups give, what idle ones cost, and what it takes to move a shard.

import { measureIdle } from "./shards/idle.mjs";
import { measureMoves, TRICKLE_MS } from "./shards/moves.mjs";
import { IN_FLIGHT, measureThroughput, SIZE } from "./shards/throughput.mjs";
import { count, print, time, times } from "./table.mjs";

const full = {
  groups: [1, 2, 4, 8, 16],
  idle: [1, 64, 256],
  restMs: 5_000,
  sizes: [1, 4, 16].map((mebibytes) => mebibytes << 20),
  moves: 5,
};
const quick = { groups: [1, 4], idle: [1, 16], restMs: 2_000, sizes: [1 << 20], moves: 1 };

/** Measures all of it. */
export async function measureShards(ms, repeat, isQuick) {
  const { groups, idle, restMs, sizes, moves } = isQuick ? quick : full;
  const missing = [
    "1,000 idle groups: a store is founded with at most 64, and each that joins later makes a configuration that all the others go through",
  ];
  return {
    throughput: await measureThroughput(groups, ms, repeat),
    idle: await measureIdle(idle, restMs, missing),
    moves: await measureMoves(sizes, moves, ms / 3),
    missing,
  };
}

export function printShards({ throughput, idle, moves, missing }) {
  printThroughput(throughput);
  printIdle(idle);
  printMoves(moves);
  for (const what of missing) console.log(`\nNot measured: ${what}`);
}

function printThroughput([cluster, ...stores]) {
  const [one] = stores;
  print(
    `Three threads on Node, 64 shards: puts of ${SIZE} B, ${IN_FLIGHT} in flight, at so many groups`,
    ["groups", "puts/s", "of a Cluster's", "of one group's", "p50", "p99", "CPU/put"],
    [cluster, ...stores].map((row) => [
      row.groups ?? "Cluster",
      count(row.perSecond),
      times(row.perSecond / cluster.perSecond),
      times(row.perSecond / one.perSecond),
      time(row.p50),
      time(row.p99),
      `${row.micros.toFixed(0)} µs`,
    ]),
  );
}

/** Besides these groups there is the one that makes configurations. */
function printIdle(rows) {
  if (rows.length === 0) return;
  const [fewest] = rows;
  const percent = (part) => `${(part * 100).toFixed(2)} %`;
  const each = (row) =>
    row === fewest ? "" : percent((row.part - fewest.part) / (row.groups - fewest.groups));
  print(
    "Three threads on Node: so many groups, all asleep; processor time as part of one core, and frames in a second",
    ["groups", "asleep after", "takes", "each further", "frames of groups", "beats"],
    rows.map((row) => [
      row.groups,
      time(row.slept),
      percent(row.part),
      each(row),
      row.messagesPerSecond.toFixed(1),
      row.beatsPerSecond.toFixed(1),
    ]),
  );
  print(
    "What it takes to start with so many: until it is open, and until a put to every shard is answered",
    ["groups", "new", "answered", "each that joins", "again", "answered"],
    rows.map(({ groups, founded, joined, joins, again }) => [
      joins === undefined ? groups : `${groups - joins} + ${joins}`,
      time(founded.opened),
      time(founded.answered),
      time(joins && joined / joins),
      time(again.opened),
      time(again.answered),
    ]),
  );
}

function printMoves(rows) {
  print(
    `A shard that moves to another group on the same nodes, with a write to it every ${TRICKLE_MS} ms: how long writes wait`,
    [
      "shard",
      "moves",
      "moved in",
      "per MiB",
      "p50",
      "slowest",
      "of all",
      "else p50",
      "slowest",
      "slowest/p50",
    ],
    rows.map((row) => [
      `${row.bytes / (1 << 20)} MiB`,
      row.moves,
      time(row.moveMs),
      time(row.msPerMiB),
      time(row.during),
      time(row.slowest),
      time(row.longest),
      time(row.usual),
      time(row.usualSlowest),
      times(row.slowest / row.usual),
    ]),
  );
}
