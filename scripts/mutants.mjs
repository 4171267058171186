// npm run sim:mutants: plants each bug of tests/mutants in a copy of the crates, and lets the simulator hunt it.

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Plot, readBugs, SEEDS } from "./lib/mutants.mjs";
import { logPath, script } from "./lib/run.mjs";
import { pick } from "./lib/suites.mjs";

const usage = `usage: npm run sim:mutants -- [options]
  --only A,B   these bugs alone
  --seeds N    seeds until a bug counts as not found (${SEEDS})
  --jobs N     bugs at a time (one for each processor)
  --list       print the bugs, and stop`;

/** Hunts one bug in a plot: a row of the table. */
async function hunt(plot, bug, seeds) {
  plot.plant(bug);
  if (bug.test !== undefined) {
    const { failed, seconds } = await plot.refute(bug);
    return failed ? { bug, seconds, refuted: true } : { bug, problem: "NOT FOUND by its test" };
  }
  if (!(await plot.build())) return { bug, problem: "does not build" };
  const { found, seconds, blamed, aborted } = await plot.hunt(seeds, bug.worlds);
  if (blamed.length > 0)
    console.log(`without any bug these seeds fail, too, and do not count: ${blamed.join(", ")}`);
  if (found === undefined) return { bug, seconds, problem: aborted ? "out of time" : "NOT FOUND" };
  return { bug, seconds, found };
}

function line({ bug, problem, found, refuted, seconds = 0 }) {
  const { name, caughtBy } = bug;
  const start = `${name.padEnd(56)} ${String(found?.count ?? "-").padStart(5)}`;
  if (problem !== undefined) return `${start}  ${problem}`;
  if (refuted) return `${start}  ${seconds.toFixed(1).padStart(6)} s  ${bug.test.name}`;
  const usual = caughtBy.includes(found.property) ? "" : ` (the list says ${caughtBy.join(" | ")})`;
  return `${start}  ${seconds.toFixed(1).padStart(6)} s  ${found.property}${usual}`;
}

/** The middle one; of an even number the upper of the two. */
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

await script(async () => {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      seeds: { type: "string", default: `${SEEDS}` },
      jobs: { type: "string", default: `${availableParallelism()}` },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const [seeds, jobs] = [Number(values.seeds), Number(values.jobs)];
  if (values.help || !(seeds > 0) || !(jobs > 0)) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const bugs = pick(readBugs(), values.only?.split(",") ?? []);
  if (values.list) {
    for (const { name, classes, breaks } of bugs)
      console.log(`${name.padEnd(56)} ${classes.join(", ").padEnd(8)} ${breaks}`);
    return 0;
  }
  console.log(`${"planted".padEnd(56)} seeds\n`);
  const rows = [];
  const queue = [...bugs];
  const work = async (number) => {
    const plot = new Plot(number);
    if (bugs.some(({ test }) => test === undefined)) await plot.prepare();
    for (let bug = queue.shift(); bug !== undefined; bug = queue.shift()) {
      const row = await hunt(plot, bug, seeds);
      rows.push(row);
      console.log(line(row));
    }
    plot.plant(undefined);
  };
  await Promise.all(
    Array.from({ length: Math.min(jobs, bugs.length) }, (_, number) => work(number)),
  );
  const found = rows.filter(({ found }) => found !== undefined);
  const refuted = rows.filter(({ refuted }) => refuted);
  const missed = rows.filter(({ problem }) => problem !== undefined).map(({ bug }) => bug.name);
  const counts = found.map(({ found }) => found.count);
  const seedsTaken = `median ${median(counts)}, at most ${Math.max(...counts)}`;
  const bySeeds =
    counts.length === 0 ? "0 found by seeds" : `${counts.length} found by seeds (${seedsTaken})`;
  console.log(`\n${bugs.length} planted: ${bySeeds}, ${refuted.length} by their tests`);
  if (missed.length === 0) return 0;
  console.log(`not found: ${missed.join(", ")}. All output: ${logPath("mutants-0.log")}`);
  return 1;
});
