// The packed tarball in a page that other bundlers and older ones have made. All in Chromium.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import { rspack } from "@rspack/core";
import * as esbuild from "esbuild";
import { rollup } from "rollup";
import {
  counter,
  html,
  install,
  outcomeOf,
  pageProgram,
  run,
  serve,
  write,
} from "../package/help.mjs";

let consumer;
before(async () => {
  consumer = await install({
    "index.html": html("/main.js"),
    "main.js": pageProgram("quorate"),
    "counter.js": counter,
  });
});
after(() => consumer.remove());

/** Opens a folder of static files; the page has to do its work. What it fetched. `shared` is what became of a shared worker. */
async function works(folder, shared = 1) {
  const server = await serve(folder);
  try {
    const { value, error, fetched, said } = await outcomeOf(server.url);
    assert.equal(value, `hello, 5, 1, ${shared}`, `${error}\n${said.join("\n")}`);
    return fetched;
  } finally {
    await server.close();
  }
}

/** The folder's one wasm was fetched, and not the entry that carries a copy. */
function usesFiles(folder, fetched) {
  const wasm = readdirSync(folder, { recursive: true }).filter((path) => path.endsWith(".wasm"));
  assert.equal(wasm.length, 1, wasm.join());
  assert.equal(new Set(fetched.filter((path) => path.endsWith(".wasm"))).size, 1, fetched.join());
  assert.ok(!fetched.some((path) => /embedded/.test(path)), fetched.join());
}

/** What these do not follow, `new URL(…, import.meta.url)`, is beside the bundle only if somebody puts it there. */
const putMachine = (folder) =>
  cpSync(join(consumer.project, "counter.js"), join(folder, "counter.js"));

for (const version of [5, 6, 7]) {
  const load = () => import(`vite${version}`);

  test(`Vite ${version}, built`, async () => {
    const { build } = await load();
    const outDir = join(consumer.project, `out-vite${version}`);
    const root = consumer.project;
    await build({ root, configFile: false, logLevel: "error", build: { outDir } });
    usesFiles(outDir, await works(outDir));
  });

  test(`Vite ${version}, its development server`, async () => {
    const { createServer } = await load();
    const server = await createServer({
      root: consumer.project,
      configFile: false,
      logLevel: "error",
      cacheDir: join(consumer.project, `cache-vite${version}`),
      server: { host: "127.0.0.1", port: 0, hmr: false },
    });
    await server.listen();
    try {
      const { value, error, said } = await outcomeOf(server.resolvedUrls.local[0]);
      assert.equal(value, "hello, 5, 1, WORKER_FAILED", `${error}\n${said.join("\n")}`);
    } finally {
      await server.close();
    }
  });
}

test("rspack", async () => {
  const path = join(consumer.project, "out-rspack");
  const stats = await promisify(rspack)({
    mode: "production",
    context: consumer.project,
    entry: "./main.js",
    output: { path, publicPath: "/", filename: "bundle.js" },
  });
  assert.ok(!stats.hasErrors(), stats.toString({ all: false, errors: true }));
  write(path, { "index.html": html("/bundle.js") });
  usesFiles(path, await works(path));
});

test("esbuild, which takes the embedded copy", async () => {
  const outdir = join(consumer.project, "out-esbuild");
  await esbuild.build({
    absWorkingDir: consumer.project,
    entryPoints: ["main.js"],
    bundle: true,
    format: "esm",
    splitting: true,
    minify: true,
    outdir,
    logLevel: "error",
  });
  putMachine(outdir);
  write(outdir, { "index.html": html("/main.js") });
  await works(outdir, "WASM_LOAD");
});

test("rollup, which takes the embedded copy", async () => {
  const dir = join(consumer.project, "out-rollup");
  const bundle = await rollup({
    input: join(consumer.project, "main.js"),
    plugins: [nodeResolve({ browser: true })],
  });
  await bundle.write({ dir, format: "es" });
  await bundle.close();
  putMachine(dir);
  write(dir, { "index.html": html("/main.js") });
  await works(dir, "WASM_LOAD");
});

test("Parcel", async () => {
  // What `new URL(…, import.meta.url)` leads to loses its exports, so a machine is told of by its address.
  const machine = 'new URL("/counter.js", location.href)';
  const folder = join(consumer.project, "parcel");
  mkdirSync(folder);
  write(folder, { "index.html": html("./main.js"), "main.js": pageProgram("quorate", machine) });
  const parcel = fileURLToPath(new URL("node_modules/.bin/parcel", import.meta.url));
  const out = join(consumer.project, "out-parcel");
  await run(parcel, ["build", "index.html", "--dist-dir", out, "--no-cache"], folder);
  putMachine(out);
  usesFiles(out, await works(out));
});
