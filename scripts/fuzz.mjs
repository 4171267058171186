// npm run fuzz -- [--seconds 30] [target…]: fuzzes each target, or those named, for so many seconds.
//
// Needs a nightly compiler and cargo-fuzz, and installs neither: without them the corpus is replayed. What is found
// beyond the corpus stays in target/fuzz/corpus; `--minimise` picks from it what the tree should keep, and does not fuzz.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { parseArgs } from "node:util";

import { fuzzTargets } from "./lib/checks.mjs";
import { answer, at, Failure, logPath, logs, must, newLog, run, script } from "./lib/run.mjs";
import { pick } from "./lib/suites.mjs";

const folder = at("tests", "fuzz");
const grown = at("target", "fuzz", "corpus");
/** Bytes of one input, and what one allocation and the whole process may take. */
const limits = ["-max_len=4096", "-malloc_limit_mb=64", "-rss_limit_mb=1024", "-timeout=10"];
/** Code is watched, memory is not: the crates forbid unsafe code, and so it is twice as fast. */
const build = ["--fuzz-dir", folder, "--sanitizer", "none"];
const env = { CARGO_TARGET_DIR: at("target", "fuzz") };
/** Inputs of a target in the tree, and what of each is looked at. */
const inputsMax = 48;
const keptBytes = 768;
/** Names that libFuzzer gives; a finding that is kept has a name of its own. */
const hash = /^[0-9a-f]{40}$/;

const targets = readdirSync(join(folder, "fuzz_targets")).map((name) => ({
  name: basename(name, ".rs"),
}));

/** What fuzzing lacks on this machine; undefined if nothing. */
function lacking() {
  const toolchains = answer("rustup", ["toolchain", "list"]) ?? "";
  if (!/^nightly/m.test(toolchains)) return "a nightly compiler (rustup toolchain install nightly)";
  if (answer("cargo", ["fuzz", "--version"]) === undefined)
    return "cargo-fuzz (cargo install cargo-fuzz --locked)";
  return undefined;
}

/** Every input of the corpus once, with the stable compiler. */
async function replay(names) {
  const filter = names.length === 0 ? [] : ["--", "--exact", ...names];
  await must("cargo", ["test", "-p", fuzzTargets, ...filter]);
}

/** Folders that libFuzzer reads; what is new goes into the first. */
function corpora(name) {
  const [found, kept] = [join(grown, name), join(folder, "corpus", name)];
  for (const path of [found, kept]) mkdirSync(path, { recursive: true });
  return [found, kept];
}

/** Runs a target's program; its output goes to a log. */
async function libFuzzer(name, args) {
  const log = `fuzz-${name}.log`;
  newLog(log);
  const cargo = ["+nightly", "fuzz", "run", ...build, name, ...args];
  const { code, seconds } = await run("cargo", cargo, { env, log });
  return { code, seconds, log, text: readFileSync(join(logs, log), "utf8") };
}

async function fuzz(name, seconds) {
  const args = [...corpora(name), "--", ...limits, `-max_total_time=${seconds}`];
  const { code, log, text } = await libFuzzer(name, [...args, "-print_final_stats=1"]);
  const stat = (key) => Number(new RegExp(`^stat::${key}:\\s*(\\d+)`, "m").exec(text)?.[1] ?? 0);
  const count = stat("number_of_executed_units").toLocaleString("en");
  const found = stat("new_units_added").toLocaleString("en");
  console.log(`${name.padEnd(10)} ${count.padStart(12)} executions, ${found} new inputs`);
  if (code === 0) return true;
  const input = /Test unit written to (\S+)/.exec(text)?.[1];
  const why = /panicked at .*\n.*/.exec(text)?.[0] ?? "no panic: too slow, or too much memory";
  console.log(`  FAILED: ${why}\n  input: ${input ? relative(".", input) : "none"}`);
  console.log(`  all output: ${logPath(log)}`);
  return false;
}

/** Puts the few inputs into the tree that together reach the most of what all of them reach. */
async function minimise(name) {
  const [found, kept] = corpora(name);
  const work = at("target", "fuzz", "minimised", name);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, "all"), { recursive: true });
  const control = join(work, "control");
  const merge = ["-set_cover_merge=1", `-merge_control_file=${control}`, `-max_len=${keptBytes}`];
  const { code, log } = await libFuzzer(name, [join(work, "all"), kept, found, "--", ...merge]);
  if (code !== 0) throw new Failure(`${name} cannot be minimised. All output: ${logPath(log)}`);
  const best = choose(readFileSync(control, "utf8"));
  const chosen = best.map((path) => readFileSync(path).subarray(0, keptBytes));
  for (const file of readdirSync(kept)) if (hash.test(file)) rmSync(join(kept, file));
  for (const data of chosen) {
    writeFileSync(join(kept, createHash("sha1").update(data).digest("hex")), data);
  }
  console.log(`${name.padEnd(10)} ${readdirSync(kept).length} inputs`);
}

/** The paths to keep, by libFuzzer's notes on a merge: always the one that adds the most to those before. */
function choose(control) {
  const lines = control.split("\n");
  const paths = lines.slice(2, 2 + Number(lines[0]));
  const inputs = lines
    .filter((line) => line.startsWith("FT "))
    .map((line) => line.trim().split(" ").slice(1))
    .map(([number, ...features]) => ({ path: paths[Number(number)], left: new Set(features) }));
  const chosen = [];
  while (chosen.length < inputsMax) {
    const best = inputs.reduce((a, b) => (b.left.size > a.left.size ? b : a));
    if (best.left.size === 0) break;
    chosen.push(best.path);
    const reached = [...best.left];
    for (const { left } of inputs) for (const feature of reached) left.delete(feature);
  }
  return chosen;
}

await script(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "30" },
      minimise: { type: "boolean", default: false },
    },
  });
  const seconds = Number(values.seconds);
  if (!Number.isInteger(seconds) || seconds < 1) throw new Failure("--seconds is a number from 1");
  const names = pick(targets, positionals).map(({ name }) => name);
  const lack = lacking();
  if (lack !== undefined) {
    if (values.minimise) throw new Failure(`minimising needs ${lack}`);
    console.log(`No fuzzing here: it needs ${lack}. The corpus is replayed instead.`);
    await replay(positionals);
    return 0;
  }
  await must("cargo", ["+nightly", "fuzz", "build", ...build], { env });
  let failed = 0;
  for (const name of names) {
    if (values.minimise) await minimise(name);
    else if (!(await fuzz(name, seconds))) failed += 1;
  }
  return failed === 0 ? 0 : 1;
});
