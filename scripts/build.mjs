// Builds the package:  node scripts/build.mjs [--debug]
//
//   crate/wasm ── cargo ──▶ module ── wasm-bindgen ──▶ pkg/wasm (glue, types) ── wasm-opt ──▶ pkg/dist/quorate.wasm
//   the same with its feature "shards" ──────────────▶ pkg/wasm/shards ───────────────────▶ pkg/dist/quorate-shards.wasm
//   crate/mapreduce-wasm, the same way ──────────────▶ pkg/wasm/mapreduce ────────────────▶ pkg/dist/quorate-mapreduce.wasm
//   pkg/src ── rolldown ──▶ pkg/dist/*.js (flat: one file for each entry, and shared chunks)
//   pkg/src ── tsc ──▶ pkg/dist/types (only what a user's imports can reach)
//
// Each wasm has one glue, which serves all targets. A step whose inputs did not change is skipped, and what was there before stays
// until its successor is complete.

import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";

import { bundle } from "./lib/bundle.mjs";
import { shortenImports } from "./lib/imports.mjs";
import { nameForOrder } from "./lib/order.mjs";
import { at, Failure, isMain, must, script, which } from "./lib/run.mjs";
import { compressed, gzipped, kilobytes } from "./lib/size.mjs";
import { files, fingerprint, isFresh, writeStamp } from "./lib/stamp.mjs";
import { wasmTarget } from "./lib/tools.mjs";

// The places that panics name shall not tell on which machine this was built.
const registry = join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "registry", "src");
export const pathPrefix = `--remap-path-prefix=${registry}=crates`;

/** How the release is compiled. */
export const releaseProfile = {
  // A tenth smaller than 3, and as fast where it counts: what a commit waits for are ports and disks.
  CARGO_PROFILE_RELEASE_OPT_LEVEL: "s",
  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS: [
    pathPrefix,
    // A fortieth smaller. What a put needs often asks for it, `#[inline]`, and is no slower.
    "-Cllvm-args=-inline-threshold=5",
  ].join(" "),
};

/** wasm-opt reads from the module which features it uses. */
const optimize = [
  "-Oz",
  "--converge",
  // What counts is the compressed size: large functions, and values that are kept to be used again, make many locals,
  // and each name of a local is a byte, or two, that does not repeat.
  "--one-caller-inline-max-function-size=30",
  "--always-inline-max-function-size=3",
  "--skip-pass=local-cse",
  // The lowest kilobyte is the far end of the stack: no address below it is computed, so offsets can be folded.
  "--low-memory-unused",
  "--strip-producers",
];

/** Then functions that are alike stand together. */
const reorder = ["--reorder-functions-by-name", "--strip-debug"];

/** What goes through megabytes is fast rather than small. */
const fast = {
  profile: {
    ...releaseProfile,
    CARGO_PROFILE_RELEASE_OPT_LEVEL: "3",
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS: pathPrefix,
  },
  optimize: ["-O3", "--low-memory-unused", "--strip-producers"],
};

/**
 * The modules: the library that each is made of, where in pkg/wasm the glue is, and what it may cost a visitor, in gzipped bytes:
 * never more than now. The aim of the first is 110,000.
 */
const host = { crate: "quorate-wasm", library: "quorate_wasm", profile: releaseProfile, optimize };
const modules = [
  { ...host, name: "quorate", features: [], folder: ".", budget: 147_000 },
  { ...host, name: "quorate-shards", features: ["shards"], folder: "shards", budget: 211_000 },
  {
    ...fast,
    name: "quorate-mapreduce",
    crate: "quorate-mapreduce-wasm",
    library: "quorate_mapreduce_wasm",
    features: [],
    folder: "mapreduce",
    budget: 123_000,
  },
];

const wasm = at("pkg", "wasm");
const dist = at("pkg", "dist");
const bound = ({ folder, library }, root = wasm) => join(root, folder, `${library}_bg.wasm`);
const shipped = ({ name }) => join(dist, `${name}.wasm`);

/** Builds everything. `release` optimizes, `strict` holds the wasm to its budget. */
export async function build({ release = true, strict = false, quiet = false, ...io } = {}) {
  const mode = release ? "release" : "debug";
  const tell = (text) => quiet || console.log(`build: ${text}`);
  const recipe = [...files(at("scripts")), at("package-lock.json"), at("Cargo.lock")];

  const compiled = [];
  for (const module of modules) compiled.push(await compile(mode, module, io));
  const wasmStamp = at("target", "stamp", "wasm");
  const modulePrint = fingerprint([...compiled, ...recipe], mode);
  const wasmIsFresh = isFresh(
    wasmStamp,
    modulePrint,
    modules.map((module) => bound(module)),
  );
  if (!wasmIsFresh) {
    tell(release ? "wasm-bindgen, wasm-opt" : "wasm-bindgen");
    await replace(wasm, async (root) => {
      for (const [at, module] of modules.entries())
        await bindAndOptimize(compiled[at], module, join(root, module.folder), release, io);
    });
    writeStamp(wasmStamp, modulePrint);
  }

  const distStamp = at("target", "stamp", "dist");
  const sources = [...files(at("pkg", "src")), ...files(wasm), at("tsconfig.json")];
  const sourcePrint = fingerprint([...sources, ...recipe], mode);
  const distIsFresh = isFresh(distStamp, sourcePrint, modules.map(shipped));
  if (!distIsFresh) {
    tell("JavaScript, types");
    const modulesOf = modules.map((module) => [`${module.name}.wasm`, bound(module)]);
    await replace(dist, (folder) => bundle(folder, modulesOf, release, io));
    writeStamp(distStamp, sourcePrint);
  }

  if (wasmIsFresh && distIsFresh) tell("nothing changed");
  else report(tell);
  for (const module of modules) {
    const size = gzipped(shipped(module));
    if (release && strict && size > module.budget) {
      const [is, may] = [size, module.budget].map(kilobytes);
      throw new Failure(`${module.name}.wasm is ${is} gzipped, over its budget of ${may}`);
    }
  }
}

/** Compiles the crate for a module; its path. */
async function compile(mode, { name, crate, library, features, profile }, io) {
  const args = ["build", "-p", crate, "--target", wasmTarget];
  if (features.length > 0) args.push("--features", features.join());
  if (mode === "release") await must("cargo", [...args, "--release"], { ...io, env: profile });
  else await must("cargo", args, io);
  // The next one has the same name there.
  const module = at("target", "modules", `${name}-${mode}.wasm`);
  mkdirSync(dirname(module), { recursive: true });
  copyFileSync(at("target", wasmTarget, mode, `${library}.wasm`), module);
  return module;
}

async function bindAndOptimize(module, { library, optimize }, folder, release, io) {
  const raw = bound({ folder: ".", library }, folder);
  const target = ["--target", "web", "--omit-default-module-path", "--out-name", library];
  const debug = release ? [] : ["--keep-debug"];
  await must("wasm-bindgen", [...target, ...debug, "--out-dir", folder, module], io);
  if (!release) return;
  // Without it the module is half as large again, so a release without it is no release.
  if (which("wasm-opt") === undefined) throw new Failure("wasm-opt is missing: run npm ci");
  const optimized = join(folder, "optimized");
  await must("wasm-opt", [...optimize, raw, "-o", optimized], io);
  if (statSync(optimized).size >= statSync(raw).size) {
    throw new Failure("wasm-opt made the module no smaller: did it run?");
  }
  writeFileSync(optimized, nameForOrder(readFileSync(optimized)));
  await must("wasm-opt", [...reorder, optimized, "-o", optimized], io);
  const glue = join(folder, `${library}.js`);
  const short = shortenImports(readFileSync(optimized), readFileSync(glue, "utf8"));
  writeFileSync(raw, short.module);
  writeFileSync(glue, short.glue);
  rmSync(optimized);
}

/** The module as it is shipped, but with the names of its functions, at `path`. */
export async function named(path) {
  const module = await compile("release", modules[0], {});
  const folder = at("target", "named");
  const target = ["--target", "web", "--omit-default-module-path", "--out-name", "quorate_wasm"];
  await must("wasm-bindgen", [...target, "--out-dir", folder, module]);
  const raw = join(folder, "quorate_wasm_bg.wasm");
  await must("wasm-opt", ["-g", ...optimize, raw, "-o", path]);
  return readFileSync(path);
}

/** Fills a new folder, and puts it where the old one was. */
export async function replace(folder, fill) {
  const fresh = at("target", `fresh-${process.pid}`);
  mkdirSync(fresh, { recursive: true });
  try {
    await fill(fresh);
    mkdirSync(dirname(folder), { recursive: true });
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Prints what each file costs a visitor. */
function report(tell) {
  const row = (name, cells) =>
    tell(name.padEnd(24) + cells.map((cell) => cell.padStart(10)).join(""));
  row("", ["raw", "gzip", "brotli"]);
  for (const name of readdirSync(dist).sort()) {
    if (/\.(js|wasm)$/.test(name)) row(name, compressed(join(dist, name)).map(kilobytes));
  }
}

if (isMain(import.meta.url)) {
  await script(async () => {
    const { values } = parseArgs({ options: { debug: { type: "boolean", default: false } } });
    const { setup } = await import("./setup.mjs");
    await setup("start");
    await build({ release: !values.debug, strict: true });
  });
}
