// Builds the simulator for the page:  node scripts/build-sim.mjs
//
//   crate/sim-wasm ── cargo ──▶ module ── wasm-bindgen, wasm-opt ──▶ www/wasm/sim/sim.js, sim_bg.wasm
//   a copy of the crates with crate/sim-wasm/planted.txt in it, the same way ──▶ www/wasm/planted

import { join } from "node:path";

import { pathPrefix, replace } from "./build.mjs";
import { list, plantAll, planted } from "./lib/planted.mjs";
import { at, isMain, must, script } from "./lib/run.mjs";
import { compressed, kilobytes } from "./lib/size.mjs";
import { files, fingerprint, isFresh, writeStamp } from "./lib/stamp.mjs";
import { wasmTarget } from "./lib/tools.mjs";

/** Worlds are lived as fast as can be; the module is loaded only by who wants to see one. */
const profile = {
  CARGO_PROFILE_RELEASE_OPT_LEVEL: "3",
  CARGO_PROFILE_RELEASE_LTO: "thin",
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "4",
  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS: pathPrefix,
};

const optimize = ["-O2", "--low-memory-unused", "--strip-producers", "--strip-debug"];

/** What the copy with planted bugs is made of, beside the crates. */
const planting = [list, ...["planted", "mutants", "copy"].map((name) => `scripts/lib/${name}.mjs`)];

/** Builds the modules, each unless nothing changed since it was built. */
export async function buildSim({ quiet = false, ...io } = {}) {
  await buildModule("sim", { root: at(".") }, { quiet, ...io });
  const sources = planting.map((path) => at(path));
  await buildModule("planted", { root: planted, sources, prepare: plantAll }, { quiet, ...io });
}

/** Builds the module `name` from the crates in `root`, which are made of `sources`, too; `prepare` puts them there. */
async function buildModule(name, { root, sources = [], prepare = () => {} }, { quiet, ...io }) {
  const out = at("www", "wasm", name);
  const stamp = at("target", "stamp", `www-${name}`);
  const crates = files(at("crate"), (path) => /\.(rs|toml)$/.test(path));
  const recipe = [at("scripts", "build-sim.mjs"), at("Cargo.toml"), at("Cargo.lock")];
  const print = fingerprint([...crates, ...recipe, ...sources]);
  const wasm = join(out, "sim_bg.wasm");
  if (isFresh(stamp, print, [wasm])) return;
  if (!quiet) console.log(`build: the simulator for the page (${name})`);
  prepare();
  const cargo = ["build", "-p", "quorate-sim-wasm", "--release", "--target", wasmTarget];
  const target = join(root, "target");
  await must("cargo", cargo, { ...io, cwd: root, env: { ...profile, CARGO_TARGET_DIR: target } });
  const module = join(target, wasmTarget, "release", "quorate_sim_wasm.wasm");
  await replace(out, async (folder) => {
    const bind = ["--target", "web", "--out-name", "sim", "--out-dir", folder, module];
    await must("wasm-bindgen", ["--omit-default-module-path", ...bind], io);
    const raw = join(folder, "sim_bg.wasm");
    await must("wasm-opt", [...optimize, raw, "-o", raw], io);
  });
  writeStamp(stamp, print);
  if (!quiet) console.log(`build: ${name} ${compressed(wasm).map(kilobytes).join(", ")}`);
}

if (isMain(import.meta.url)) {
  await script(async () => {
    const { setup } = await import("./setup.mjs");
    await setup("start");
    await buildSim();
  });
}
