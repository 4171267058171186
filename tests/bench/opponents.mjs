// The package on Node beside what would be used in its place: Raft assembled of JavaScript alone, and three etcds. Values of 256
// bytes, with state on the same disk, durable before a put is answered; all in turns.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Cluster } from "quorate";

import { at, Failure, must, which } from "../../scripts/lib/run.mjs";
import { press } from "./load.mjs";
import { count, medians, print, time, times } from "./table.mjs";

const BYTES = 256;
const depths = [1, 16, 256];
const folder = at("tests", "bench", "opponents");

/** Measures all that can be had, in turns. */
export async function measureOpponents(ms, repeat) {
  const missing = [];
  const sides = [{ name: "Quorate", measure: (directory) => quorate(directory, ms) }];
  const other = (name, program, ...more) => ({
    name,
    measure: (directory) => run(program, [ms, BYTES, directory, depths.join(), ...more]),
  });
  try {
    await install();
    sides.push(other("assembled of JavaScript", "assembled.mjs"));
    const etcd = which("etcd");
    if (etcd === undefined) missing.push("three etcds: etcd is not installed");
    else sides.push(other("three etcds", "etcd.mjs", etcd));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    missing.push(`all but Quorate: ${error.message}`);
  }
  const runs = sides.map(() => []);
  for (let turn = 0; turn < repeat; turn++) {
    for (const [place, { name, measure }] of sides.entries()) {
      // Beside the build, on a disk: the system's folder for temporary files may be memory.
      const directory = mkdtempSync(join(at("target"), "bench-"));
      try {
        runs[place].push(await measure(directory));
      } catch (error) {
        missing.push(`${name}, once: ${error.message.split("\n")[0]}`);
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    }
  }
  const rows = sides.flatMap(({ name }, place) =>
    runs[place].length === 0
      ? []
      : [{ name, cells: depths.map((_, at) => medians(runs[place].map((cells) => cells[at]))) }],
  );
  return { rows, missing };
}

async function install() {
  const installed = join(folder, "node_modules", "@coaty");
  if (existsSync(installed)) return;
  const words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
  await must("npm", words, { cwd: folder, log: "bench.log" });
}

function run(program, words) {
  const args = [join(folder, program), ...words.map(String)];
  const options = { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 120_000 };
  const lines = execFileSync(process.execPath, args, options).trim().split("\n");
  return lines.map((line) => JSON.parse(line));
}

async function quorate(directory, ms) {
  const cluster = await Cluster.open({ name: "bench", directory: join(directory, "cluster") });
  try {
    const kv = cluster.kv.as("bytes");
    const value = new Uint8Array(BYTES).fill(7);
    const put = (number) => kv.put(`key/${number % 1000}`, value, { timeout: 60_000 });
    const cells = [];
    for (const depth of depths) {
      await press(put, depth, ms / 5);
      cells.push({ depth, ...(await press(put, depth, ms)) });
    }
    return cells;
  } finally {
    await cluster.close();
  }
}

export function printOpponents({ rows, missing }) {
  const [ours] = rows;
  const lines = rows.flatMap(({ name, cells }) =>
    cells.map(({ depth, perSecond, p50, p99 }, place) => {
      const ratio = name === ours.name ? "" : times(ours.cells[place].perSecond / perSecond);
      return [name, depth, count(perSecond), time(p50), time(p99), ratio];
    }),
  );
  const heads = ["256 B", "in flight", "puts/s", "p50", "p99", "Quorate is"];
  print("Three nodes on Node, durable, beside what would be used in their place", heads, lines);
  for (const one of missing) console.log(`\nNot measured: ${one}`);
}
