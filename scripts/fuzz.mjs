// npm run fuzz -- [--seconds 30] [target…]: fuzzes each target, or those named, for so many seconds.
//
// Needs a nightly compiler and cargo-fuzz, and installs neither: without them the corpus is replayed. What is found
// beyond the corpus stays in target/fuzz/corpus; `--minimise` picks from it what the tree should keep, and does not fuzz.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
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

/** The smallest choice of inputs that reaches what all of them reach. */
async function minimise(name) {
  const [found, kept] = corpora(name);
  const chosen = at("target", "fuzz", "minimised", name);
  rmSync(chosen, { recursive: true, force: true });
  mkdirSync(chosen, { recursive: true });
  const args = [chosen, kept, found, "--", "-set_cover_merge=1", "-max_len=1024"];
  const { code, log } = await libFuzzer(name, args);
  if (code !== 0) throw new Failure(`${name} cannot be minimised. All output: ${logPath(log)}`);
  for (const file of readdirSync(kept)) if (hash.test(file)) rmSync(join(kept, file));
  for (const file of readdirSync(chosen)) copyFileSync(join(chosen, file), join(kept, file));
  console.log(`${name.padEnd(10)} ${readdirSync(kept).length} inputs`);
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
