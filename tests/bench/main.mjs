// npm run bench [-- --quick] [-- --long] [-- --only peers,core,browser,relaxed,firefox,node,life,opponents,growth,shards,mapreduce,page] [-- --json FILE]
//
// Commits per second and latencies of puts, beside what the machine's ports and disks take by themselves, in the same run.
// Every figure is the median of several runs that take turns; compare the ratios, for machines differ and are noisy.

import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { logs, newLog } from "../../scripts/lib/run.mjs";
import { measureCore, printCore } from "./core.mjs";
import { measureGrowth, printGrowth } from "./growth.mjs";
import { hosts, measureHosts, printAims, printHost } from "./hosts.mjs";
import { measureLife, printLife } from "./life.mjs";
import { measureMapReduce, printMapReduce } from "./mapreduce.mjs";
import { measureOpponents, printOpponents } from "./opponents.mjs";
import { measureFrames, printFrames } from "./page.mjs";
import { measurePeers, printPeers } from "./peers.mjs";
import { measureShards, printShards } from "./shards.mjs";
import { medians } from "./table.mjs";

const parts = [
  "peers",
  "core",
  "browser",
  "relaxed",
  "firefox",
  "node",
  "life",
  "opponents",
  "growth",
  "shards",
  "mapreduce",
  "page",
];
const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    long: { type: "boolean", default: false },
    only: { type: "string", default: parts.join() },
    json: { type: "string" },
  },
});
const only = values.only.split(",");
const unknown = only.filter((name) => !parts.includes(name));
if (unknown.length > 0) throw new Error(`--only knows ${parts.join(", ")}, not ${unknown}`);
const [ms, repeat] = values.quick ? [300, 1] : [1_500, 3];

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
  result.life = await measureLife(values.quick);
  printLife(result.life);
}
if (only.includes("opponents")) {
  result.opponents = await measureOpponents(ms, repeat);
  printOpponents(result.opponents);
}
if (only.includes("growth")) {
  result.growth = await measureGrowth(ms, repeat, values.long);
  printGrowth(result.growth);
}
if (only.includes("shards")) {
  result.shards = await measureShards(ms, repeat, values.quick);
  printShards(result.shards);
}
if (only.includes("mapreduce")) {
  const megabytes = values.quick ? [10] : values.long ? [100, 1_000] : [100];
  result.mapreduce = await measureMapReduce(megabytes, repeat);
  printMapReduce(result.mapreduce);
}
if (only.includes("page")) {
  result.page = await measureFrames(values.quick ? 2_000 : 10_000);
  printFrames(result.page);
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 1)}\n`);
