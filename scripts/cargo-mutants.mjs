// npm run mutants -- [raft] [rsm]: changes the crates a little, in every place that cargo-mutants knows, one at a time, and
// runs their tests. All changes must be noticed, but for those of tests/mutants/survivors.md, each there with its reason.
//
// Needs cargo-mutants, and does not install it. About half an hour for each crate.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { answer, at, Failure, logPath, newLog, run, script } from "./lib/run.mjs";
import { pick } from "./lib/suites.mjs";

const crates = [{ name: "raft" }, { name: "rsm" }];
const config = at("tests", "mutants", "cargo-mutants.toml");
/** The least part of the changes that must be noticed. */
const AIM = 0.9;

/** Without line and column, which move with every edit. */
const unplaced = (line) => line.replace(/:\d+:\d+: /, ": ");

/** Changes that may go unnoticed. */
function readSurvivors() {
  const lines = readFileSync(at("tests", "mutants", "survivors.md"), "utf8").split("\n");
  return new Set(lines.flatMap((line) => /^- `(.*)`$/.exec(line)?.[1] ?? []));
}

/** Changes one crate in all places: how many changes were noticed, and those that were not. */
async function mutate(name, args) {
  const folder = at("target", "mutants", name);
  const log = `mutants-${name}.log`;
  newLog(log);
  const cargo = ["mutants", "--config", config, "--output", folder, "--no-shuffle"];
  const crate = `quorate-${name}`;
  const tests = ["--package", crate, "--test-package", crate, "--profile", "mutants"];
  const { code } = await run("cargo", [...cargo, ...tests, ...args], {
    log,
    env: { CI: undefined },
  });
  // Two and three say that some were missed, or timed out.
  if (code !== 0 && code !== 2 && code !== 3)
    throw new Failure(`cargo mutants ended with code ${code}. All output: ${logPath(log)}`);
  const read = (file) =>
    readFileSync(join(folder, "mutants.out", `${file}.txt`), "utf8")
      .split("\n")
      .filter((line) => line !== "");
  return { noticed: read("caught").length + read("timeout").length, missed: read("missed") };
}

await script(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { shard: { type: "string" } },
  });
  if (answer("cargo", ["mutants", "--version"]) === undefined)
    throw new Failure("cargo-mutants is missing (cargo install cargo-mutants --locked)");
  const survivors = readSurvivors();
  const shard = values.shard === undefined ? [] : ["--shard", values.shard];
  let failed = 0;
  for (const { name } of pick(crates, positionals)) {
    const { noticed, missed } = await mutate(name, shard);
    const all = noticed + missed.length;
    const part = all === 0 ? 1 : noticed / all;
    const unknown = missed.filter((line) => !survivors.has(unplaced(line)));
    console.log(`${name}: ${noticed} of ${all} changes noticed, ${(part * 100).toFixed(1)} %`);
    for (const line of unknown) console.log(`  not noticed, and not in the list: ${line}`);
    if (part < AIM || unknown.length > 0) failed += 1;
  }
  return failed === 0 ? 0 : 1;
});
