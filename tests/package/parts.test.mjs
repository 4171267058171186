// The parts of the package that not everybody loads, each with a WebAssembly and workers of its own: jobs and sharded stores, in
// one page, as bundlers make it, and as it is. All in Chromium.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { build, createServer } from "vite";
import webpack from "webpack";

import { html, install, outcomeOf, serve, write } from "./help.mjs";

const files = {
  "index.html": html("/main.js"),
  "words.js": `
export const map = (_at, line, emit) => { for (const word of line.split(" ")) emit(word, 1); };
export const reduce = (_word, ones) => [...ones].length;
`,
  "main.js": `
import { MapReduceCluster } from "quorate/mapreduce";
import { ShardedCluster } from "quorate/shards";

async function use() {
  const jobs = await MapReduceCluster.open({ name: "jobs" });
  const results = [];
  for (const job of ["wordcount", new URL("./words.js", import.meta.url)]) {
    const running = await jobs.mapReduce({ input: new Blob(["a b a\\n"]), job, partitions: 1 });
    results.push(await (await running.result()).text());
  }
  await jobs.close();
  const carts = await ShardedCluster.open({ name: "carts", groups: 2, shards: 4 });
  await carts.kv.put("cart/1", 3);
  const { value } = await carts.kv.get("cart/1");
  await carts.close();
  return JSON.stringify([...results, value]);
}
use().then(
  (value) => { globalThis.outcome = { value }; },
  (error) => { globalThis.outcome = { error: String(error.stack) }; },
);
`,
};

let consumer;
before(async () => {
  consumer = await install(files);
});
after(() => consumer.remove());

function assertDone({ value, error, said }) {
  assert.equal(error, undefined, `${error}\n${said.join("\n")}`);
  assert.equal(value, JSON.stringify(["a\t2\nb\t1\n", "a\t2\nb\t1\n", 3]));
}

async function assertServed(folder, headers) {
  const server = await serve(folder, headers);
  try {
    const outcome = await outcomeOf(server.url);
    assertDone(outcome);
    assert.deepEqual(outcome.said, []);
  } finally {
    await server.close();
  }
}

const wasmIn = (folder) =>
  readdirSync(folder, { recursive: true }).filter((path) => path.endsWith(".wasm"));

/** The nodes of jobs have that of every cluster. */
const MODULES = 3;

test("Vite, built", async () => {
  const outDir = join(consumer.project, "out-vite");
  await build({
    root: consumer.project,
    configFile: false,
    logLevel: "error",
    // A page's policy allows no modules in URLs of data.
    build: { outDir, assetsInlineLimit: 0 },
  });
  assert.equal(wasmIn(outDir).length, MODULES, wasmIn(outDir).join());
  await assertServed(outDir);
});

test("Vite, its development server", async () => {
  const server = await createServer({
    root: consumer.project,
    configFile: false,
    logLevel: "error",
    server: { host: "127.0.0.1", port: 0, hmr: false, ws: false },
  });
  await server.listen();
  try {
    assertDone(await outcomeOf(server.resolvedUrls.local[0]));
  } finally {
    await server.close();
  }
});

test("webpack", async () => {
  const path = join(consumer.project, "out-webpack");
  const stats = await promisify(webpack)({
    mode: "production",
    context: consumer.project,
    entry: "./main.js",
    output: { path, publicPath: "/", filename: "bundle.js" },
  });
  assert.ok(!stats.hasErrors(), stats.toString("errors-only"));
  assert.equal(wasmIn(path).length, MODULES, wasmIn(path).join());
  write(path, { "index.html": html("/bundle.js") });
  await assertServed(path);
});

test("no bundler: an import map, under a strict Content-Security-Policy", async () => {
  const folder = join(consumer.project, "plain");
  mkdirSync(folder);
  cpSync(join(consumer.installed, "pkg", "dist"), join(folder, "quorate"), { recursive: true });
  const imports = Object.fromEntries(
    ["mapreduce", "shards"].map((name) => [`quorate/${name}`, `/quorate/${name}.js`]),
  );
  const map = `<script type="importmap" nonce="map">${JSON.stringify({ imports })}</script>`;
  write(folder, { ...files, "index.html": html("/main.js", map) });
  await assertServed(folder, {
    "content-security-policy":
      "default-src 'self'; img-src data:; script-src 'self' 'nonce-map' 'wasm-unsafe-eval'; worker-src 'self'",
  });
});
