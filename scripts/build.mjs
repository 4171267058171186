// Builds the package:  node scripts/build.mjs [--debug]
//
//   crate/wasm ── cargo ──▶ module ── wasm-bindgen ──▶ pkg/wasm (glue, types) ── wasm-opt ──▶ pkg/dist/quorate.wasm
//   pkg/src ── rolldown ──▶ pkg/dist/*.js (flat: one file for each entry, and shared chunks)
//   pkg/src ── tsc ──▶ pkg/dist/types (only what a user's imports can reach)
//
// One wasm and one glue serve all targets. A step whose inputs did not change is skipped.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";

import { at, Failure, isMain, must, script, which } from "./lib/run.mjs";
import { compressed, kilobytes } from "./lib/size.mjs";
import { files, fingerprint, isFresh, writeStamp } from "./lib/stamp.mjs";
import { wasmTarget } from "./lib/tools.mjs";

/** What the wasm may cost a visitor, in gzipped bytes. */
const budget = 90_000;

/** The code is as fast as the compiler made it, and as small as that allows. */
const optimize = ["-O3", "--strip-producers"];

const wasm = at("pkg", "wasm");
const dist = at("pkg", "dist");
const source = at("pkg", "src");
const glue = join(wasm, "quorate_wasm.js");
const bound = join(wasm, "quorate_wasm_bg.wasm");
const shipped = join(dist, "quorate.wasm");

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
export async function build({ release = true, quiet = false, ...io } = {}) {
  const mode = release ? "release" : "debug";
  const tell = (text) => quiet || console.log(`build: ${text}`);

  const profile = release ? ["--release"] : [];
  await must("cargo", ["build", "-p", "quorate-wasm", "--target", wasmTarget, ...profile], io);
  const module = at("target", wasmTarget, mode, "quorate_wasm.wasm");

  const recipe = [at("scripts", "build.mjs"), at("package-lock.json"), at("Cargo.lock")];
  const modulePrint = fingerprint([module, ...recipe], mode);
  if (isFresh(join(wasm, ".built"), modulePrint, [glue, bound])) tell("wasm: unchanged");
  else await bindAndOptimize(module, release, modulePrint, tell, io);

  const sources = [
    ...files(source),
    ...files(wasm, (path) => !path.endsWith(".built")),
    at("tsconfig.json"),
  ];
  const sourcePrint = fingerprint([...sources, ...recipe], mode);
  if (isFresh(join(dist, ".built"), sourcePrint, [shipped])) tell("JavaScript: unchanged");
  else await bundle(release, sourcePrint, tell, io);

  const size = report(tell);
  if (release && size > budget) {
    throw new Failure(
      `the wasm is ${kilobytes(size)} gzipped, over its budget of ${kilobytes(budget)}`,
    );
  }
}

async function bindAndOptimize(module, release, print, tell, io) {
  rmSync(wasm, { recursive: true, force: true });
  mkdirSync(wasm, { recursive: true });
  const debug = release ? [] : ["--keep-debug"];
  tell("wasm-bindgen");
  const target = ["--target", "web", "--omit-default-module-path"];
  await must("wasm-bindgen", [...target, ...debug, "--out-dir", wasm, module], io);
  if (release) {
    // Without it the module is half as large again, so a release without it is no release.
    if (which("wasm-opt") === undefined) throw new Failure("wasm-opt is missing: run npm ci");
    tell("wasm-opt");
    const before = statSync(bound).size;
    const optimized = join(wasm, "optimized");
    await must("wasm-opt", [...optimize, bound, "-o", optimized], io);
    if (statSync(optimized).size >= before) {
      throw new Failure("wasm-opt made the module no smaller: did it run?");
    }
    copyFileSync(optimized, bound);
    rmSync(optimized);
  }
  writeStamp(join(wasm, ".built"), print);
}

async function bundle(release, print, tell, io) {
  // Only now: on a bare machine the set-up, which imports this file, installs it.
  const { rolldown } = await import("rolldown");
  tell("JavaScript");
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist, { recursive: true });
  const external = /^node:/;
  const output = { dir: dist, format: "es", minify: release, sourcemap: !release };

  // The inline entry carries the wasm and the whole worker as text.
  const worker = await rolldown({ external, input: join(source, entries.worker) });
  const alone = await worker.generate({ ...output, format: "iife", sourcemap: false });
  await worker.close();
  const carried = carry({
    "quorate:wasm": readFileSync(bound).toString("base64"),
    "quorate:worker": alone.output[0].code,
  });

  const input = Object.fromEntries(
    Object.entries(entries).map(([name, path]) => [name, join(source, path)]),
  );
  const all = await rolldown({ external, input, plugins: [carried] });
  await all.write({
    ...output,
    entryFileNames: "[name].js",
    chunkFileNames: "[name].js",
    // A stable file for the glue, so that it is plain to see that there is one.
    codeSplitting: { groups: [{ name: "core", test: /quorate_wasm\.js$/ }] },
  });
  await all.close();
  copyFileSync(bound, shipped);
  await declare(tell, io);
  writeStamp(join(dist, ".built"), print);
}

/** A plugin that serves modules whose default export is a text. */
const carry = (texts) => ({
  name: "carry",
  resolveId: (id) => (Object.hasOwn(texts, id) ? id : null),
  load: (id) => (Object.hasOwn(texts, id) ? `export default ${JSON.stringify(texts[id])}` : null),
});

/** Emits type declarations and keeps those that the public ones import, directly or not. */
async function declare(tell, io) {
  tell("types");
  const emitted = at("target", "types");
  rmSync(emitted, { recursive: true, force: true });
  const options = [
    "--noEmit",
    "false",
    "--declaration",
    "--emitDeclarationOnly",
    "--outDir",
    emitted,
  ];
  await must("tsc", ["-p", at("tsconfig.json"), ...options], io);
  const waiting = [join(emitted, "index.d.ts"), join(emitted, "worker.d.ts")];
  const seen = new Set();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    if (!existsSync(path))
      throw new Failure(`a public type imports ${relative(emitted, path)}, which is not shipped`);
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
