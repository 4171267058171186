// Commits per second and latencies of puts, beside what the machine's ports and disks take by themselves, in the same run.
// Every figure is the median of several runs that take turns; compare the ratios, for machines differ and are noisy.

import { mkdirSync, writeFileSync } from "node:fs";
import { logs, newLog } from "../../scripts/lib/run.mjs";
import { measureCore, printCore } from "./core.mjs";
import { measureGrowth, printGrowth } from "./growth.mjs";
import { hosts, measureHosts, printAims, printHost } from "./hosts.mjs";
import { measureLife, printLife } from "./life.mjs";
import { measureMapReduce, printMapReduce } from "./mapreduce.mjs";
import { measureOpponents, printOpponents } from "./opponents.mjs";
import { readOptions } from "./options.mjs";
import { measureFrames, printFrames } from "./page.mjs";
import { measurePeers, printPeers } from "./peers.mjs";
import { measureShards, printShards } from "./shards.mjs";
import { medians } from "./table.mjs";

const { quick, long, json, only } = readOptions(process.argv.slice(2));
const [ms, repeat] = quick ? [300, 1] : [1_500, 3];

mkdirSync(logs, { recursive: true });
newLog("bench.log");
newLog("callgrind.log");
const result = {};
if (only.includes("peers")) {
  result.peers = await measurePeers(repeat);
  printPeers(result.peers);
}
if (only.includes("core")) {
  const { native, wasm } = await measureCore(ms / 3000, repeat);
  result.core = { native: native.map(medians), wasm: wasm.map(medians) };
  printCore(result.core);
}
const whole = Object.keys(hosts).filter((name) => only.includes(name));
const measured = await measureHosts(whole, ms / 4, repeat);
Object.assign(result, measured);
for (const name of whole) printHost(name, measured[name]);
printAims(measured);
if (only.includes("life")) {
  result.life = await measureLife(quick);
  printLife(result.life);
}
if (only.includes("opponents")) {
  result.opponents = await measureOpponents(ms, repeat);
  printOpponents(result.opponents);
}
if (only.includes("growth")) {
  result.growth = await measureGrowth(ms, repeat, long);
  printGrowth(result.growth);
}
if (only.includes("shards")) {
  result.shards = await measureShards(ms, repeat, quick);
  printShards(result.shards);
}
if (only.includes("mapreduce")) {
  const megabytes = quick ? [10] : long ? [100, 1_000] : [100];
  result.mapreduce = await measureMapReduce(megabytes, repeat);
  printMapReduce(result.mapreduce);
}
if (only.includes("page")) {
  result.page = await measureFrames(quick ? 2_000 : 10_000);
  printFrames(result.page);
}
if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, 1)}\n`);
