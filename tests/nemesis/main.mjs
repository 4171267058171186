// npm run nemesis [-- --host node|chromium|firefox|webkit] [--seconds N] [--seed N] [--nodes N] [--faults name,name]
// npm run nemesis -- --tabs [--host chromium|firefox|webkit] [--seconds N] [--seed N]
//
// Exit codes, as the simulator's: 0 all is well, 2 wrong usage, 10 the run itself failed, 11 a safety property broke, 12 the
// cluster did not become live.

import { parseArgs } from "node:util";
import { arenas, drive } from "./drive.mjs";
import { kinds } from "./nemesis.mjs";
import { driveTabs, tabHosts } from "./tabs.mjs";

const usage = `usage: npm run nemesis -- [options]
  --tabs           a cluster whose nodes are tabs, which come, go, are killed, frozen and reloaded
  --host NAME      ${Object.keys(arenas).join(", ")} (node; with --tabs chromium)
  --seconds N      how long faults come (60)
  --seed N         what is chosen (a new one)
  --nodes N        1 to 7 (3 or 5, by the seed)
  --faults LIST    only these of ${kinds.join(", ")}`;

function read() {
  const { values } = parseArgs({
    options: {
      tabs: { type: "boolean", default: false },
      host: { type: "string" },
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: `${Date.now() % 1_000_000}` },
      nodes: { type: "string" },
      faults: { type: "string" },
    },
  });
  const number = (name, last) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1 || value > last)
      throw new Error(`--${name} is a number from 1 to ${last}, not ${values[name]}`);
    return value;
  };
  const faults = values.faults?.split(",");
  const unknown = faults?.filter((fault) => !kinds.includes(fault)) ?? [];
  if (unknown.length > 0) throw new Error(`there is no fault ${unknown.join(", ")}`);
  const { tabs, host = tabs ? "chromium" : "node" } = values;
  const hosts = tabs ? tabHosts : arenas;
  if (!Object.hasOwn(hosts, host)) {
    const there = `${tabs ? " with tabs" : ""}; there is ${Object.keys(hosts).join(", ")}`;
    throw new Error(`there is no host ${host}${there}`);
  }
  for (const name of ["nodes", "faults"]) {
    if (tabs && values[name] !== undefined)
      throw new Error(`--${name} is for workers: tabs come and go as the seed has it`);
  }
  return {
    tabs,
    host,
    seconds: number("seconds", 86_400),
    seed: number("seed", 2 ** 32 - 1),
    nodes: values.nodes === undefined ? undefined : number("nodes", 7),
    faults,
  };
}

const listed = (counts) =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");

/** A line that the next one replaces, where there is a terminal. */
function tell({ seconds, phase, calls, leader, faults }) {
  const text = `${seconds.toFixed(0)} s, ${phase}; leader ${leader.leader ?? "none"}, term ${leader.term}; ${listed(calls)}; ${listed(faults)}`;
  if (process.stdout.isTTY)
    process.stdout.write(`\r\x1b[K${text.slice(0, process.stdout.columns)}`);
  else console.log(text);
}

function sumUp(summary) {
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  const { nodes, seconds, calls, faults, live, agreed, read, halts, lateStarts } = summary;
  console.log(`${nodes} nodes, ${seconds.toFixed(0)} s; calls: ${listed(calls)}`);
  console.log(`faults: ${listed(faults)}`);
  if (live !== undefined) {
    console.log(
      `live after ${live.toFixed(0)} ms, agreed after ${agreed.toFixed(0)} ms; ` +
        `${read.length} of ${nodes} nodes led and were read`,
    );
    if (lateStarts > 0) console.log(`starts that met a lock: ${lateStarts}`);
    if (Object.keys(halts).length > 0) console.log(`halted: ${listed(halts)}`);
  }
  console.log(`history: ${summary.history}\nfaults:  ${summary.deeds}`);
  for (const problem of summary.problems) console.log(`FAILED: ${problem}`);
}

function sumUpTabs({ calls, known, notApplied, faults, history, problems }) {
  console.log(`${calls} calls, ${known} of them with a known outcome, ${notApplied} not applied`);
  console.log(`faults: ${listed(faults)}\nhistory: ${history}`);
  for (const problem of problems) console.log(`FAILED: ${problem}`);
}

/** The worst of what went wrong decides. */
function codeOf(problems) {
  const is = (kind) => problems.some((problem) => problem.startsWith(`${kind}:`));
  if (is("safety")) return 11;
  if (is("liveness")) return 12;
  return 10;
}

let options;
try {
  options = read();
} catch (error) {
  console.error(`${error.message}\n${usage}`);
  process.exit(2);
}
const where = options.tabs ? `tabs in ${options.host}` : options.host;
console.log(`${where}, ${options.seconds} s of faults, seed ${options.seed}`);
const summary = options.tabs ? await driveTabs(options) : await drive(options, tell);
if (options.tabs) sumUpTabs(summary);
else sumUp(summary);
if (summary.problems.length > 0) {
  process.exitCode = codeOf(summary.problems);
  console.log(
    `again: npm run nemesis --${options.tabs ? " --tabs" : ""} --host ${options.host} --seconds ${options.seconds} --seed ${options.seed}`,
  );
} else console.log(`linearizable, live${options.tabs ? "" : ", and all replicas agree"}`);
