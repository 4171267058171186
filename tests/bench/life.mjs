// A cluster's life: from nothing to the first answer, what it costs at rest, and how long it is without a leader.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { at } from "../../scripts/lib/run.mjs";
import { inChromium, inFirefox } from "./browser.mjs";
import { descendantsSeconds } from "./life/cpu.mjs";
import { ELECTION_MS, sleep } from "./life/steps.mjs";
import { percentile, print, time, times, verdict } from "./table.mjs";

const SETTLE_MS = 2_000;
/** The worker of the leader ends, which the page or process knows; or nobody hears the leader, which only timers tell. */
const faultNames = { kill: "killed", isolate: "cut off" };
/** How often, and how long. */
const full = {
  starts: 5,
  restMs: 8_000,
  faults: { node: { kill: 30, isolate: 20 }, browser: { kill: 20, isolate: 10 } },
};
const quick = {
  starts: 2,
  restMs: 2_000,
  faults: { node: { kill: 5, isolate: 3 }, browser: { kill: 3, isolate: 2 } },
};

/** Aims: milliseconds until the first put is answered, part of one core at rest, election timeouts, milliseconds. */
const aims = {
  start: { Node: 400, Chromium: 800, Firefox: 800 },
  rest: 0.005,
  timers: 1.5,
  hint: 50,
};

/** Starts, rests and faults, on Node and in browsers. What cannot be measured has its reason in `missing`. */
export async function measureLife(isQuick) {
  const plan = isQuick ? quick : full;
  const result = { starts: [], rests: [], faults: [], missing: [] };
  for (const [host, measure] of Object.entries({ Node, Chromium, Firefox })) {
    const add = (table, row) => result[table].push({ host, ...row });
    const attempt = async (what, work) => {
      try {
        await work();
      } catch (error) {
        result.missing.push(`${host}${what}: ${error.message.split("\n")[0]}`);
      }
    };
    await attempt("", () => measure(plan, add, attempt));
  }
  return result;
}

async function Node({ starts, restMs, faults }, add, attempt) {
  const folder = mkdtempSync(join(at("target"), "bench-"));
  const program = at("tests", "bench", "life", "process.mjs");
  const perform = async (name, step, ...words) => {
    const args = [program, join(folder, name), step, ...words.map((word) => JSON.stringify(word))];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 120_000 });
    return JSON.parse(stdout);
  };
  try {
    await startOften(starts, add, (number, origin) => perform(`${number}`, "start", origin));
    await attempt(" at rest", async () => {
      const without = await perform("beats", "beats", SETTLE_MS, restMs);
      add("rests", { without, part: await perform("rest", "rest", SETTLE_MS, restMs) });
    });
    await failOften(faults.node, add, perform);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const Chromium = ({ starts, restMs, faults }, add, attempt) =>
  inChromium(async ({ load, call }) => {
    const perform = async (name, step, ...words) => {
      await load();
      return call(step, name, ...words);
    };
    await startOften(starts, add, (number, origin) => perform(`${number}`, "start", origin));
    await attempt(" at rest", async () => {
      await perform("empty", "empty", SETTLE_MS);
      const without = await coresUsed(restMs);
      await perform("rest", "rest", SETTLE_MS);
      add("rests", { without, part: (await coresUsed(restMs)) - without });
    });
    await failOften(faults.browser, add, perform);
  });

const Firefox = ({ starts }, add) =>
  inFirefox(async ({ load, call }) => {
    await startOften(starts, add, async (number, origin) => {
      await load();
      return call("start", `${number}`, origin);
    });
  });

/** Faults of each kind, in a cluster of their own. */
async function failOften(faults, add, perform) {
  for (const [fault, often] of Object.entries(faults))
    add("faults", summaries({ fault }, await perform(fault, "failOver", fault, often)));
}

/** So often: new storage, and the same again. `begin` gives what one start took. */
async function startOften(starts, add, begin) {
  const all = { founded: [], restored: [] };
  for (let number = 0; number < starts; number++)
    for (const origin of Object.keys(all)) all[origin].push(await begin(number, origin));
  for (const [origin, waits] of Object.entries(all)) add("starts", summaries({ origin }, waits));
}

/** Processor time of all that this process has started, as part of one core. */
async function coresUsed(ms) {
  const began = performance.now();
  const before = descendantsSeconds();
  await sleep(ms);
  return ((descendantsSeconds() - before) * 1000) / (performance.now() - began);
}

/** Of each kind of wait its median, what 95 of 100 are below, and the longest. */
function summaries(what, waits) {
  const kinds = Object.keys(waits[0]).map((kind) => {
    const all = waits.map((wait) => wait[kind]);
    const [median, p95, worst] = [0.5, 0.95, 1].map((part) => percentile(all, part));
    return [kind, { median, ...(all.length >= 20 && { p95 }), worst }];
  });
  return { ...what, count: waits.length, ...Object.fromEntries(kinds) };
}

export function printLife({ starts, rests, faults, missing }) {
  if (starts.length > 0) printStarts(starts);
  if (rests.length > 0) printRests(rests);
  if (faults.length > 0) printFaults(faults);
  for (const one of missing) console.log(`\nNot measured: ${one}`);
}

function printStarts(starts) {
  const rows = starts.map(({ host, origin, count, opened, leader, put }) => [
    host,
    origin === "founded" ? "new" : "again",
    count,
    time(opened.median),
    time(leader.median),
    time(put.median),
    time(put.worst),
    `at most ${time(aims.start[host])}`,
    verdict(put.median <= aims.start[host]),
  ]);
  const heads = ["", "storage", "starts", "opened", "leader", "first put", "worst", "aim", ""];
  print("From `Cluster.open` on, in a new process or page: three nodes", heads, rows);
}

/** Without: on Node three threads with the same messages and nothing else; in a browser the page alone, which is taken off. */
function printRests(rests) {
  const percent = (part) => `${(part * 100).toFixed(2)} %`;
  const rows = rests.map(({ host, without, part }) => [
    host,
    host === "Node" ? "bare messages" : "empty page",
    percent(without),
    percent(part),
    `at most ${percent(aims.rest)}`,
    verdict(part <= aims.rest),
  ]);
  const heads = ["", "beside", "takes", "three nodes", "aim", ""];
  print("Processor time of three nodes that have nothing to do, as part of one core", heads, rows);
}

function printFaults(faults) {
  const rows = faults.map(({ host, fault, count, elected, put }) => {
    const timeouts = elected.median / ELECTION_MS;
    const [aim, isMet] =
      fault === "kill"
        ? [`at most ${time(aims.hint)}`, elected.median <= aims.hint]
        : [`at most ${times(aims.timers)}`, timeouts <= aims.timers];
    const shown = [elected, put].flatMap(({ median, p95, worst }) =>
      [median, p95, worst].map(time),
    );
    return [host, faultNames[fault], count, ...shown, times(timeouts), aim, verdict(isMet)];
  });
  const of = ["median", "p95", "worst"];
  const heads = ["", "leader", "times", ...of.map((one) => `leader, ${one}`)];
  heads.push(...of.map((one) => `put, ${one}`), `leader/${ELECTION_MS} ms`, "aim", "");
  print("How long until the next leader, and the next put answered", heads, rows);
}
