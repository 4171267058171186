// What is in the tarball, and what must not be.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

import { install, root, run } from "./help.mjs";

let consumer;
let manifest;
before(async () => {
  consumer = await install();
  manifest = JSON.parse(readFileSync(join(consumer.installed, "package.json"), "utf8"));
});
after(() => consumer.remove());

const read = (path) => readFileSync(join(consumer.installed, path));
const paths = () => consumer.tarball.files.map(({ path }) => path);

test("nothing runs when it is installed, and nothing else is installed", () => {
  const hooks = [
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
  ];
  for (const hook of hooks) assert.equal(manifest.scripts?.[hook], undefined, hook);
  for (const kind of [
    "dependencies",
    "optionalDependencies",
    "peerDependencies",
    "bundleDependencies",
  ]) {
    assert.equal(manifest[kind], undefined, kind);
  }
  const modules = readdirSync(join(consumer.project, "node_modules"));
  assert.deepEqual(
    modules.filter((name) => !name.startsWith(".")),
    ["quorate"],
  );
});

test("each wasm with one glue, and one embedded copy of the first in the inline entry", () => {
  assert.deepEqual(
    paths().filter((path) => path.endsWith(".wasm")),
    ["pkg/dist/quorate-mapreduce.wasm", "pkg/dist/quorate-shards.wasm", "pkg/dist/quorate.wasm"],
  );
  const scripts = paths().filter((path) => path.endsWith(".js"));
  const withGlue = scripts.filter((path) => read(path).includes("__wbindgen_malloc"));
  assert.equal(withGlue.length, 4, withGlue.join(", "));
  const wasm = gzipSync(read("pkg/dist/quorate.wasm"), { level: 9 }).toString("base64");
  const withWasm = scripts.filter((path) => read(path).includes(wasm));
  assert.equal(withWasm.length, 1, withWasm.join(", "));
  assert.ok(withGlue.includes(withWasm[0]), "the copy of the glue belongs to the copy of the wasm");
});

test("bundlers are told, by names and no pattern, which modules act: those that export nothing", () => {
  const scripts = paths().filter((path) => path.endsWith(".js"));
  const acting = scripts.filter((path) => !/^export /m.test(read(path).toString()));
  assert.deepEqual(manifest.sideEffects, acting.map((path) => `./${path}`).sort());
});

test("only what is meant to be published, and small", () => {
  for (const path of paths()) {
    assert.match(path, /^(pkg\/dist\/|README\.md$|LICENSE$|CHANGELOG\.md$|package\.json$)/);
  }
  for (const path of ["README.md", "LICENSE", "CHANGELOG.md"])
    assert.ok(paths().includes(path), path);
  const { size } = consumer.tarball;
  assert.ok(size < 860_000, `the tarball has ${size} bytes`);
  // What sharded stores and MapReduce add to it is for those who load that.
  const own = /\/(quorate-shards|shards|quorate-mapreduce|mapreduce)[^/]*$/;
  const rest = paths().filter((path) => !own.test(path));
  assert.ok(rest.length < paths().length);
  const without = gzipSync(Buffer.concat(rest.map((path) => read(path))));
  assert.ok(without.length < 500_000, `without them there are ${without.length} bytes`);
});

test("no file names a folder of the machine it was built on", () => {
  const folders = [root, process.env.HOME, process.env.CARGO_HOME].filter(
    (path) => path?.length > 1,
  );
  for (const path of paths()) {
    for (const folder of folders) {
      const needle = `${folder.replace(/\/$/, "")}/`;
      assert.ok(!read(path).includes(needle), `${path} contains ${needle}`);
    }
  }
});

test("every path of the manifest exists", () => {
  const targets = (value) =>
    typeof value === "string" ? [value] : Object.values(value).flatMap(targets);
  const { exports, bin, main, types } = manifest;
  for (const target of targets({ exports, bin, main, types })) {
    assert.ok(paths().includes(target.replace("./", "")), target);
  }
});

test("publint finds nothing", async () => {
  const { messages } = await publint({ pkgDir: consumer.installed, pack: false, strict: true });
  assert.deepEqual(
    messages.map((message) => formatMessage(message, manifest)),
    [],
  );
});

test("the types are right for every way to resolve them", async () => {
  const attw = join(root, "node_modules", ".bin", "attw");
  await run(
    attw,
    [
      consumer.path,
      "--profile",
      "esm-only",
      "--exclude-entrypoints",
      "./quorate.wasm",
      "./worker",
      "./quorate-shards.wasm",
      "./shards/worker",
      "./quorate-mapreduce.wasm",
    ],
    consumer.project,
  );
});
