// From pkg/src to what is published: modules for each entry, and the type declarations that users can reach.

import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";

import { at, Failure, must } from "./run.mjs";

const source = at("pkg", "src");

/** The package's modules, by the name they have in pkg/dist. */
const entries = {
  auto: "entry/auto.ts",
  node: "entry/node.ts",
  inline: "entry/inline.ts",
  worker: "worker.ts",
  "worker-node": "entry/worker-node.ts",
  shards: "entry/shards.ts",
  "shards-node": "entry/shards-node.ts",
  "shards-worker": "entry/shards-worker.ts",
  "shards-worker-node": "entry/shards-worker-node.ts",
  mapreduce: "entry/mapreduce.ts",
  "mapreduce-node": "entry/mapreduce-node.ts",
  "mapreduce-worker": "entry/mapreduce-worker.ts",
  "mapreduce-worker-node": "entry/mapreduce-worker-node.ts",
  "mapreduce-tasks": "entry/mapreduce-tasks.ts",
  "mapreduce-tasks-node": "entry/mapreduce-tasks-node.ts",
  testing: "testing/index.ts",
  cli: "cli.ts",
  prometheus: "observe/prometheus.ts",
  inspector: "inspector/index.ts",
};

/** Declarations that the manifest names. */
const publicTypes = [
  "index.d.ts",
  "worker.d.ts",
  "shards/index.d.ts",
  "entry/shards-worker.d.ts",
  "mapreduce/index.d.ts",
  "testing/index.d.ts",
  "observe/prometheus.d.ts",
  "inspector/index.d.ts",
];

/** Fills `folder` with the modules, the types, and each wasm by its name; the first is carried by the inline entry. */
export async function bundle(folder, wasms, release, io) {
  try {
    await modules(folder, wasms[0][1], release);
  } catch (error) {
    throw new Failure(error.message);
  }
  for (const [name, wasm] of wasms) copyFileSync(wasm, join(folder, name));
  await types(join(folder, "types"), io);
}

async function modules(folder, wasm, release) {
  // Only now: on a bare machine the set-up, whose caller imports this file, installs it.
  const { rolldown } = await import("rolldown");
  const external = /^node:/;
  // With white space kept, quotes stay quotes: bundlers look for `new URL("./worker.js", import.meta.url)` in these words.
  // Classes keep their names, which people see where errors and clusters are printed.
  const keepNames = { class: true, function: false };
  const minify = release && {
    compress: { keepNames },
    mangle: { keepNames },
    codegen: { removeWhitespace: false },
  };
  // What explains itself is in the declarations; what tells bundlers something stays.
  const comments = { jsdoc: !release, annotation: true, legal: true };
  const output = { dir: folder, format: "es", minify, comments, sourcemap: !release };

  // The inline entry carries the wasm and the whole worker as text.
  const worker = await rolldown({ external, input: join(source, entries.worker) });
  const alone = await worker.generate({ ...output, format: "iife", sourcemap: false });
  await worker.close();
  const carried = carry({
    "quorate:wasm": gzipSync(readFileSync(wasm), { level: 9 }).toString("base64"),
    "quorate:worker": alone.output[0].code,
  });

  const input = Object.fromEntries(
    Object.entries(entries).map(([name, path]) => [name, join(source, path)]),
  );
  const all = await rolldown({ external, input, plugins: [carried] });
  await all.write({
    ...output,
    entryFileNames: "[name].js",
    chunkFileNames: chunkName,
    // A stable file for each glue, so that it is plain to see that there is one.
    codeSplitting: {
      groups: [
        { name: "mapreduce-glue", test: /wasm\/mapreduce\/quorate_mapreduce_wasm\.js$/ },
        { name: "shards-glue", test: /wasm\/shards\/quorate_wasm\.js$/ },
        { name: "glue", test: /wasm\/quorate_wasm\.js$/ },
      ],
    },
  });
  await all.close();
}

/** By the name, what a part of the package is for that not everybody loads. */
function chunkName({ name, moduleIds }) {
  const isOfJobs = moduleIds.every((id) => id.startsWith(join(source, "mapreduce")));
  return isOfJobs ? `mapreduce-${name}.js` : "[name].js";
}

/** A plugin that serves modules whose default export is a text. */
const carry = (texts) => ({
  name: "carry",
  resolveId: (id) => (Object.hasOwn(texts, id) ? id : null),
  load: (id) => (Object.hasOwn(texts, id) ? `export default ${JSON.stringify(texts[id])}` : null),
});

/** Emits all declarations, and keeps those that the public ones import, directly or not. */
async function types(folder, io) {
  const emitted = at("target", `types-${process.pid}`);
  const emit = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir", emitted];
  try {
    await must("tsc", ["-p", at("tsconfig.json"), ...emit], io);
    for (const path of reachable(publicTypes.map((name) => join(emitted, name)))) {
      const target = join(folder, relative(emitted, path));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, readFileSync(path));
    }
  } finally {
    rmSync(emitted, { recursive: true, force: true });
  }
}

/** The given declarations, and all that they import. */
function reachable(paths) {
  const seen = new Set(paths);
  // Those that are added here are visited, too.
  for (const path of seen) {
    if (!existsSync(path)) throw new Failure(`a public type imports ${path}, which is not shipped`);
    const text = readFileSync(path, "utf8");
    for (const [, name] of text.matchAll(/(?:from|import\(?)\s*"(\.[^"]+)\.js"/g)) {
      seen.add(join(dirname(path), `${name}.d.ts`));
    }
  }
  return seen;
}
