// npm test [-- --only name,name] [-- --checks]: sets the machine up and runs every suite, or those named.
//
// `--checks` adds formatters, linters and type checks (`.ci/run` does). Output goes to target/log; the end of it is shown
// when a suite fails. A suite that ran no test fails, and so does the whole when a browser is missing.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { build } from "./build.mjs";
import { buildSim } from "./build-sim.mjs";
import { checks, flags, fuzzTargets, pureCrates, wasmCrates } from "./lib/checks.mjs";
import { at, Failure, logs, must, newLog, script } from "./lib/run.mjs";
import { files, fingerprint, isFresh, writeStamp } from "./lib/stamp.mjs";
import { pick, runSuites } from "./lib/suites.mjs";
import { wasmTarget } from "./lib/tools.mjs";
import { setup } from "./setup.mjs";

const seeds = 200;
const shardSeeds = 60;
const runSim = ["run", "--release", "-p", "quorate-sim", "--bin", "sim", "--"];

/** For tests in browsers: machines of a continuous integration are slow and busy. */
const browserEnv = { WASM_BINDGEN_TEST_TIMEOUT: "300", WASM_BINDGEN_TEST_DRIVER_TIMEOUT: "60" };

const suites = [
  {
    name: "build",
    about: "the package, release, and the page's simulator",
    minutes: 20,
    steps: async (options) => {
      await build({ strict: true, ...options });
      await buildSim(options);
    },
  },
  {
    name: "rust",
    about: "unit, scenario and documentation tests, native",
    minutes: 30,
    counts: true,
    steps: [
      {
        command: "cargo",
        args: ["test", "--workspace", ...flags("--exclude", [...wasmCrates, fuzzTargets])],
      },
    ],
  },
  {
    name: "wasm-core",
    about: "the pure crates' tests, all of them, on wasm32",
    minutes: 20,
    counts: true,
    steps: testPureCratesOnWasm,
  },
  {
    name: "sim",
    about: `the simulator, ${seeds} seeds, and ${shardSeeds} of sharded stores`,
    minutes: 30,
    counts: true,
    steps: [
      { command: "cargo", args: [...runSim, "--seeds", `${seeds}`] },
      { command: "cargo", args: [...runSim, "shards", "--seeds", `${shardSeeds}`] },
    ],
  },
  nodeSuite("cost", "what an entry costs the core, counted without a clock", "tests/work"),
  nodeSuite("mutants", "planted bugs: the list, and four of them hunted", "tests/mutants"),
  {
    name: "fuzz",
    about: "the corpus of the fuzzer, replayed",
    minutes: 10,
    counts: true,
    steps: [{ command: "cargo", args: ["test", "-p", fuzzTargets] }],
  },
  {
    name: "wasm",
    about: "the wasm host in Chromium, Firefox and WebKit",
    minutes: 30,
    counts: true,
    browsers: true,
    steps: [
      {
        command: "wasm-pack",
        args: ["test", "--mode", "no-install", "--headless", "--chrome", "--firefox", "crate/wasm"],
        env: browserEnv,
      },
      {
        // Nodes of a sharded store: not in the module that is shipped.
        command: "wasm-pack",
        args: ["test", "--mode", "no-install", "--headless", "--chrome", "--firefox"].concat(
          "crate/wasm",
          "--features=shards",
        ),
        env: browserEnv,
      },
      {
        // WebKit as GTK has it needs a screen, be it one that nobody sees.
        command: "xvfb-run",
        args: ["-a", "-s", "-screen 0 1280x900x24 -nolisten tcp", "wasm-pack", "test"].concat(
          ["--mode", "no-install", "--headless", "--safari"],
          ["--safaridriver", "/usr/bin/WebKitWebDriver", "crate/wasm"],
        ),
        env: { ...browserEnv, LIBGL_ALWAYS_SOFTWARE: "1", GDK_BACKEND: "x11" },
      },
    ],
  },
  nodeSuite("replay", "the simulator's command line, natively and on wasm32", "tests/sim"),
  nodeSuite("sim-page", "the page's simulator, plain and with planted bugs", "tests/sim-page"),
  nodeSuite("kv", "the store's client: its bytes, and its watches", "tests/kv"),
  nodeSuite("mapreduce", "the data engine and the coordinator in JavaScript", "tests/mapreduce"),
  nodeSuite("recipes", "locks, queues and the like around a model of the store", "tests/recipes"),
  nodeSuite("machine", "state machines of one's own, in worker threads", "tests/machine"),
  nodeSuite(
    "testing",
    "machines in simulated clusters: planted mistakes, equal seeds",
    "tests/testing",
  ),
  nodeSuite("node", "clusters of worker threads, with state on disk", "tests/node"),
  nodeSuite("observe", "metrics, log and trace, and what they are written as", "tests/observe"),
  nodeSuite("cli", "the command line: one command, and the prompt", "tests/cli"),
  {
    ...nodeSuite(
      "etcd",
      "the store's answers and those of etcd, in Node and in browsers",
      "tests/etcd",
    ),
    browsers: true,
  },
  nodeSuite("www", "the pure parts of the site, its colors and its navigation", "tests/www"),
  {
    ...nodeSuite("browser", "clusters in pages, tabs and workers, end to end", "tests/browser"),
    browsers: true,
  },
  {
    ...nodeSuite("site", "live, simulator, lessons, hunt and jobs, end to end", "tests/site"),
    browsers: true,
  },
  {
    ...nodeSuite("nemesis", "faults of real workers, in Node and in browsers", "tests/nemesis"),
    browsers: true,
  },
  {
    ...nodeSuite("docs", "the documentation: its code runs, its pages are sound", "tests/docs"),
    browsers: true,
  },
  {
    ...nodeSuite("package", "the tarball: installed, bundled, run", "tests/package"),
    browsers: true,
  },
];

/** Runs when it is named, and with `--checks`: what the package is tried in is 800 MB. */
const matrix = {
  ...nodeSuite(
    "matrix",
    "the tarball in other runtimes and bundlers",
    "tests/matrix",
    installMatrix,
  ),
  browsers: true,
};

/** Test files of Node's own runner, one at a time. */
function nodeSuite(name, about, folder, prepare = async () => {}) {
  const tests = files(at(folder), (path) => /\.test\.m?js$/.test(path));
  const args = ["--test", "--test-concurrency=1", "--test-reporter=tap", ...tests];
  const steps = async (options) => {
    // Without names Node would look for tests everywhere.
    if (tests.length === 0) throw new Failure(`there are no tests in ${folder}`);
    await prepare(options);
    await must(process.execPath, args, options);
  };
  return { name, about, minutes: 20, counts: true, steps };
}

/** Installs the runtimes and bundlers that tests/matrix names, unless they are there. */
async function installMatrix(options) {
  const folder = at("tests", "matrix");
  const stamp = at("target", "stamp", "matrix");
  const print = fingerprint([join(folder, "package-lock.json")]);
  if (isFresh(stamp, print, [join(folder, "node_modules")])) return;
  await must("npm", ["ci", "--no-audit", "--no-fund"], { ...options, cwd: folder });
  writeStamp(stamp, print);
}

/** Runs the tests on wasm32, and compares their names with those of the native ones: none may be left out. */
async function testPureCratesOnWasm(options) {
  const selection = [...flags("-p", pureCrates), "--lib", "--tests"];
  const runner = { CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER: "wasm-bindgen-test-runner" };
  await must("cargo", ["test", "--target", wasmTarget, ...selection], {
    ...options,
    env: { ...runner, ...browserEnv },
  });
  const listLog = "wasm-core-native.log";
  newLog(listLog);
  await must("cargo", ["test", ...selection, "--", "--list"], { ...options, log: listLog });
  const names = (file, line) =>
    [...readFileSync(join(logs, file), "utf8").matchAll(line)].map(([, name]) => name).sort();
  const here = names(options.log, /^test (\S+) \.\.\. ok$/gm);
  const native = names(listLog, /^(\S+): test$/gm);
  const lacking = native.filter((name) => !here.includes(name));
  if (lacking.length > 0 || here.length !== native.length) {
    throw new Failure(
      `${native.length} tests are native, ${here.length} ran on wasm32; lacking there: ${lacking.join(", ")}`,
    );
  }
}

await script(async () => {
  const { values } = parseArgs({
    options: { only: { type: "string" }, checks: { type: "boolean", default: false } },
  });
  // The types of the package include the glue's, which the build writes.
  const [first, ...rest] = suites;
  const names = values.only?.split(",") ?? [];
  const more = values.checks || names.includes("matrix") ? [matrix] : [];
  const all = [first, ...(values.checks ? checks : []), ...rest, ...more];
  const chosen = pick(all, names);
  try {
    await setup(chosen.some(({ browsers }) => browsers) ? "test" : "start");
  } catch (error) {
    if (error instanceof Failure && process.env.CI === undefined) {
      const modest = suites.filter(({ browsers }) => !browsers).map(({ name }) => name);
      error.message += `\nWithout browsers: npm test -- --only ${modest.join(",")}`;
    }
    throw error;
  }
  return (await runSuites(chosen)) === 0 ? 0 : 1;
});
