// Builds the package:  node scripts/build.mjs [--debug]
//
//   crate/wasm ── cargo ──▶ module ── wasm-bindgen ──▶ pkg/wasm (glue, types) ── wasm-opt ──▶ pkg/dist/raft.wasm
//   pkg/src ── rolldown ──▶ pkg/dist/*.js (flat: one file for each entry, and shared chunks)
//   pkg/src ── tsc ──▶ pkg/dist/types (only what a user's imports can reach)
//
// One wasm and one glue serve all targets. A step whose inputs did not change is skipped.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";

import { at, environment, Failure, isMain, must, run, script, which } from "./lib/run.mjs";
import { compressed, kilobytes } from "./lib/size.mjs";
import { files, fingerprint, isFresh, writeStamp } from "./lib/stamp.mjs";
import { wasmTarget } from "./lib/tools.mjs";

/** What the wasm may cost a visitor, in gzipped bytes. */
const budget = 90_000;

const wasm = at("pkg", "wasm");
const dist = at("pkg", "dist");
const source = at("pkg", "src");
const glue = join(wasm, "quorate_wasm.js");
const bound = join(wasm, "quorate_wasm_bg.wasm");
const shipped = join(dist, "raft.wasm");

/** The package's modules, by the name they have in pkg/dist. */
const entries = {
  auto: "entry/auto.ts",
  node: "entry/node.ts",
  inline: "entry/inline.ts",
  worker: "worker.ts",
  "worker-node": "entry/worker-node.ts",
  cli: "cli.ts",
};

/** Builds everything; `release` optimizes and holds the wasm to its budget. */
export async function build({ release = true, quiet = false } = {}) {
  const mode = release ? "release" : "debug";
  const tell = (text) => quiet || console.log(`build: ${text}`);

  const profile = release ? ["--release"] : [];
  await must("cargo", ["build", "-p", "quorate-wasm", "--target", wasmTarget, ...profile]);
  const module = at("target", wasmTarget, mode, "quorate_wasm.wasm");

  const recipe = [at("scripts", "build.mjs"), at("package-lock.json"), at("Cargo.lock")];
  const modulePrint = fingerprint([module, ...recipe], mode);
  if (isFresh(join(wasm, ".built"), modulePrint, [glue, bound])) tell("wasm: unchanged");
  else await bindAndOptimize(module, release, modulePrint, tell);

  const sources = [...files(source), ...files(wasm, (path) => !path.endsWith(".built")), at("tsconfig.json")];
  const sourcePrint = fingerprint([...sources, ...recipe], mode);
  if (isFresh(join(dist, ".built"), sourcePrint, [shipped])) tell("JavaScript: unchanged");
  else await bundle(release, sourcePrint, tell);

  const size = report(tell);
  if (release && size > budget) {
    throw new Failure(`the wasm is ${kilobytes(size)} gzipped, over its budget of ${kilobytes(budget)}`);
  }
}

async function bindAndOptimize(module, release, print, tell) {
  rmSync(wasm, { recursive: true, force: true });
  mkdirSync(wasm, { recursive: true });
  const debug = release ? [] : ["--keep-debug"];
  tell("wasm-bindgen");
  await must("wasm-bindgen", ["--target", "web", "--omit-default-module-path", ...debug, "--out-dir", wasm, module]);
  if (release) {
    // Without it the module is half as large again, so a release without it is no release.
    if (which("wasm-opt") === undefined) throw new Failure("wasm-opt is missing: run npm ci");
    tell("wasm-opt");
    const before = statSync(bound).size;
    const optimized = join(wasm, "optimized");
    await must("wasm-opt", ["-O3", "--converge", "--strip-debug", "--strip-producers", bound, "-o", optimized]);
    if (statSync(optimized).size >= before) throw new Failure("wasm-opt made the module no smaller: did it run?");
    copyFileSync(optimized, bound);
    rmSync(optimized);
  }
  writeStamp(join(wasm, ".built"), print);
}

async function bundle(release, print, tell) {
  // Only now: on a bare machine the set-up, which imports this file, installs it.
  const { rolldown } = await import("rolldown");
  tell("JavaScript");
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist, { recursive: true });
  const common = { external: /^node:/, treeshake: { moduleSideEffects: false } };
  const output = { dir: dist, format: "es", minify: release, sourcemap: !release };

  // The inline entry carries the wasm and the whole worker as text.
  const worker = await rolldown({ ...common, input: join(source, entries.worker) });
  const { output: [script] } = await worker.generate({ ...output, format: "iife", sourcemap: false });
  await worker.close();
  const carried = { wasm: readFileSync(bound).toString("base64"), worker: script.code };
  const names = Object.keys(carried);
  writeFileSync(join(wasm, "inline.js"), names.map((name) => `export const ${name} = ${JSON.stringify(carried[name])};\n`).join(""));
  writeFileSync(join(wasm, "inline.d.ts"), names.map((name) => `export const ${name}: string;\n`).join(""));

  const input = Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, join(source, path)]));
  const all = await rolldown({ ...common, input });
  await all.write({
    ...output,
    entryFileNames: "[name].js",
    chunkFileNames: "[name].js",
    // A stable file for the glue, so that it is plain to see that there is one.
    codeSplitting: { groups: [{ name: "raft", test: /quorate_wasm\.js$/ }] },
  });
  await all.close();
  copyFileSync(bound, shipped);
  await declare(tell);
  writeStamp(join(dist, ".built"), print);
}

/** Emits type declarations and keeps those that the public ones import, directly or not. */
async function declare(tell) {
  tell("types");
  const emitted = at("target", "types");
  rmSync(emitted, { recursive: true, force: true });
  const options = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir", emitted];
  await must("tsc", ["-p", at("tsconfig.json"), ...options]);
  const waiting = [join(emitted, "index.d.ts"), join(emitted, "worker.d.ts")];
  const seen = new Set();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    if (!existsSync(path)) throw new Failure(`a public type imports ${relative(emitted, path)}, which is not shipped`);
    const text = readFileSync(path, "utf8");
    for (const [, name] of text.matchAll(/(?:from|import\(?)\s*"(\.[^"]+)\.js"/g)) {
      waiting.push(join(dirname(path), `${name}.d.ts`));
    }
    const target = join(dist, "types", relative(emitted, path));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
}

/** Prints what each file costs a visitor; returns the wasm's gzipped size. */
function report(tell) {
  const row = (name, raw, gzip, brotli) =>
    tell(`${name.padEnd(24)}${[raw, gzip, brotli].map((cell) => cell.padStart(10)).join("")}`);
  row("", "raw", "gzip", "brotli");
  let wasmSize = 0;
  for (const name of readdirSync(dist).sort()) {
    if (!/\.(js|wasm)$/.test(name)) continue;
    const path = join(dist, name);
    const { raw, gzip, brotli } = compressed(path);
    row(name, ...[raw, gzip, brotli].map(kilobytes));
    if (path === shipped) wasmSize = gzip;
  }
  return wasmSize;
}

if (isMain(import.meta.url)) {
  await script(async () => {
    const { values } = parseArgs({ options: { debug: { type: "boolean", default: false } } });
    const { setup } = await import("./setup.mjs");
    await setup("start");
    await build({ release: !values.debug });
  });
}
