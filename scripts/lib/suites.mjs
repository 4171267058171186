// Runs suites one after the other, keeps their output in files, and sums up.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Failure, logPath, logs, must, newLog, tail } from "./run.mjs";

/**
 * Runs suites and prints a table. A suite is
 *   { name, about, steps: [{ command, args, env? }, …] | async ({ log, limit }) => void, minutes, counts }
 * where steps run in order until one fails, `minutes` is its limit, and `counts` says that its output tells how many tests
 * ran, so that a suite that ran none fails. Returns the number of suites that failed.
 */
export async function runSuites(suites) {
  const rows = [];
  for (const [place, suite] of suites.entries()) {
    console.log(`\n[${place + 1}/${suites.length}] ${suite.name}: ${suite.about}`);
    const started = performance.now();
    const log = `${suite.name}.log`;
    newLog(log);
    const problem = await attempt(suite, log);
    const seconds = (performance.now() - started) / 1000;
    const count = suite.counts ? testCount(log) : undefined;
    rows.push({ name: suite.name, problem, seconds, count });
    if (problem === undefined) console.log(`  ok in ${seconds.toFixed(1)} s`);
    else
      console.log(
        `${indent(tail(log, 60))}\n  FAILED in ${seconds.toFixed(1)} s: ${problem}. All output: ${logPath(log)}`,
      );
  }
  return sumUp(rows);
}

/** Runs one suite; what went wrong, or undefined. */
async function attempt(suite, log) {
  const limit = AbortSignal.timeout(suite.minutes * 60_000);
  try {
    if (typeof suite.steps === "function") {
      await suite.steps({ log, limit });
    } else {
      for (const { command, args, env } of suite.steps)
        await must(command, args, { env, log, limit });
    }
    if (suite.counts && testCount(log) === 0) return "no test ran";
    return undefined;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return limit.aborted ? `not finished after ${suite.minutes} minutes` : error.message;
  }
}

/** How many tests passed, as cargo, wasm-bindgen's runner, the simulator and Node print it. */
function testCount(log) {
  const text = readFileSync(join(logs, log), "utf8");
  const found = text.matchAll(
    /^(?:test result: \w+\. (\d+) passed|(\d+) seeds passed|# pass (\d+)|ℹ pass (\d+))/gm,
  );
  return [...found].reduce(
    (sum, [, ...counts]) => sum + Number(counts.find((one) => one !== undefined)),
    0,
  );
}

function sumUp(rows) {
  const width = Math.max(...rows.map(({ name }) => name.length));
  console.log();
  for (const { name, problem, seconds, count } of rows) {
    const tests = count === undefined ? "" : `${count} tests`;
    const result = problem === undefined ? "passed" : "FAILED";
    console.log(
      `${name.padEnd(width)}  ${result}  ${seconds.toFixed(1).padStart(7)} s  ${tests}`.trimEnd(),
    );
  }
  const failed = rows.filter(({ problem }) => problem !== undefined).length;
  console.log(`\n${rows.length - failed} passed, ${failed} failed`);
  return failed;
}

const indent = (text) => text.replaceAll(/^/gm, "    ");

/** The suites of these names; all of them without names. */
export function pick(suites, names) {
  const known = suites.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Failure(`unknown: ${unknown.join(", ")}. There are: ${known.join(", ")}`);
  return names.length === 0 ? suites : suites.filter(({ name }) => names.includes(name));
}
