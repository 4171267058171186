// The installed package in a page: bundled by Vite and webpack, and without any bundler. All in Chromium.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build, createServer } from "vite";
import webpack from "webpack";

import { counter, html, install, outcomeOf, pageProgram, serve, write } from "./help.mjs";

let consumer;
before(async () => {
  consumer = await install({
    "index.html": html("/main.js"),
    "main.js": pageProgram("quorate"),
    "counter.js": counter,
    "main-inline.js": pageProgram("quorate/inline"),
  });
});
after(() => consumer.remove());

/** What comes of a page in a folder of static files. */
async function served(folder, headers) {
  const server = await serve(folder, headers);
  try {
    return await outcomeOf(server.url);
  } finally {
    await server.close();
  }
}

/** A program for a page whose clusters have workers of its own. */
const ownWorkers = `
import { Cluster } from "quorate";
import { ShardedCluster } from "quorate/shards";

async function use() {
  const node = () => new Worker(new URL("./node.js", import.meta.url), { type: "module" });
  const cluster = await Cluster.open({ name: "own", createWorker: node });
  const one = await cluster.kv.increment("n", 1);
  await cluster.close();
  const shards = () => new Worker(new URL("./shards.js", import.meta.url), { type: "module" });
  const sharded = await ShardedCluster.open({ name: "own-shards", groups: 1, createWorker: shards });
  const two = await sharded.kv.increment("n", 2);
  await sharded.close();
  return \`\${one.value}, \${two.value}\`;
}
use().then(
  (value) => { globalThis.outcome = { value }; },
  (error) => { globalThis.outcome = { error: String(error.stack) }; },
);
`;

/** The page did its work without an error, and without falling back to the embedded copy. */
function assertUsedFiles({ value, error, fetched, said }) {
  assert.equal(error, undefined, `${error}\n${said.join("\n")}`);
  assert.equal(value, "hello, 5, 1, 1");
  assert.deepEqual(said, []);
  const wasm = new Set(fetched.filter((path) => path.endsWith(".wasm")));
  assert.equal(wasm.size, 1, [...wasm].join());
  assert.ok(!fetched.some((path) => /embedded/.test(path)), fetched.join());
}

const wasmIn = (folder) =>
  readdirSync(folder, { recursive: true }).filter((path) => path.endsWith(".wasm"));

test("Vite, built", async () => {
  const outDir = join(consumer.project, "out-vite");
  await build({ root: consumer.project, configFile: false, logLevel: "error", build: { outDir } });
  assert.equal(wasmIn(outDir).length, 1);
  assertUsedFiles(await served(outDir));
});

test("what a page loads that opens a cluster, puts and gets, is within its budget", async () => {
  const root = join(consumer.project, "small");
  mkdirSync(root);
  write(root, {
    "index.html": html("/main.js"),
    "main.js": `import { Cluster } from "quorate";
      const cluster = await Cluster.open({ name: "small" });
      await cluster.kv.put("key", "value");
      document.title = await cluster.kv.get("key");`,
  });
  const outDir = join(root, "out");
  await build({ root, configFile: false, logLevel: "error", build: { outDir } });
  const assets = join(outDir, "assets");
  const sizes = readdirSync(assets).map((name) => {
    const size = gzipSync(readFileSync(join(assets, name)), { level: 9 }).length;
    return { name, size };
  });
  for (const [kind, budget] of Object.entries(budgets)) {
    const of = sizes.filter(({ name }) => name.startsWith(`${kind}-`) && name.endsWith(".js"));
    assert.equal(of.length, 1, JSON.stringify(sizes));
    assert.ok(
      of[0].size <= budget,
      `${of[0].name} has ${of[0].size} bytes, its budget is ${budget}`,
    );
  }
});

/** In gzipped bytes, by what Vite calls them: the page's part, and the worker's. Never more than now. */
const budgets = { index: 39_600, worker: 18_700 };

test("Vite, its development server", async () => {
  const server = await createServer({
    root: consumer.project,
    configFile: false,
    logLevel: "error",
    server: { host: "127.0.0.1", port: 0, hmr: false, ws: false },
  });
  await server.listen();
  try {
    const { value, error, said } = await outcomeOf(server.resolvedUrls.local[0]);
    assert.equal(value, "hello, 5, 1, 1", `${error}\n${said.join("\n")}`);
  } finally {
    await server.close();
  }
});

/** Bundles the page of a folder with webpack. */
async function pack(context, path) {
  const stats = await promisify(webpack)({
    mode: "production",
    context,
    entry: "./main.js",
    output: { path, publicPath: "/", filename: "bundle.js" },
  });
  assert.ok(!stats.hasErrors(), stats.toString("errors-only"));
}

test("webpack", async () => {
  const path = join(consumer.project, "out-webpack");
  await pack(consumer.project, path);
  assert.equal(wasmIn(path).length, 1);
  write(path, { "index.html": html("/bundle.js") });
  assertUsedFiles(await served(path));
});

test("workers of one's own, whose only line is the import of the package's", async (t) => {
  const root = join(consumer.project, "own");
  mkdirSync(root);
  write(root, {
    "index.html": html("/main.js"),
    "main.js": ownWorkers,
    "node.js": 'import "quorate/worker";\n',
    "shards.js": 'import "quorate/shards/worker";\n',
  });
  const check = ({ value, error, said }) =>
    assert.equal(value, "1, 2", `${error}\n${said.join("\n")}`);
  await t.test("Vite", async () => {
    const outDir = join(root, "out-vite");
    const worker = { format: "es" };
    await build({ root, configFile: false, logLevel: "error", build: { outDir }, worker });
    check(await served(outDir));
  });
  await t.test("webpack", async () => {
    const path = join(root, "out-webpack");
    await pack(root, path);
    write(path, { "index.html": html("/bundle.js") });
    check(await served(path));
  });
});

/** A folder as a web server would have it: the page, and the package's files as they are. */
function plain(name, specifier, target) {
  const folder = join(consumer.project, name);
  mkdirSync(folder);
  cpSync(join(consumer.installed, "pkg", "dist"), join(folder, "quorate"), { recursive: true });
  const imports = JSON.stringify({ imports: { [specifier]: `/quorate/${target}` } });
  const map = `<script type="importmap" nonce="map">${imports}</script>`;
  write(folder, {
    "index.html": html("/main.js", map),
    "main.js": pageProgram(specifier),
    "counter.js": counter,
  });
  return folder;
}
const policy = (workers) => ({
  "content-security-policy": `default-src 'self'; img-src data:; script-src 'self' 'nonce-map' 'wasm-unsafe-eval'; worker-src ${workers}`,
});

test("no bundler: an import map, under a strict Content-Security-Policy", async () => {
  assertUsedFiles(await served(plain("plain", "quorate", "auto.js"), policy("'self'")));
});

test("no bundler: the inline entry needs no file beside it", async () => {
  const { value, error, fetched, said } = await served(
    plain("plain-inline", "quorate/inline", "inline.js"),
    policy("blob:"),
  );
  assert.equal(value, "hello, 5, 1, INVALID_OPTION", `${error}\n${said.join("\n")}`);
  assert.ok(
    !fetched.some((path) => path.endsWith(".wasm") || path.endsWith("worker.js")),
    fetched.join(),
  );
});
