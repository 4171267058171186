// npm run size: what the module is made of, by crate and by function.
//
//   npm run size                  the crates, and the largest functions
//   npm run size -- --top 100     more of these
//   npm run size -- --record "why"   also adds a row to docs/size.json, with all scripts: raw, gzip, brotli
//
// Of a build with names: what is shipped has none. A generic function counts for the crate that wrote it, not for the one
// that asked for a copy.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { build, named } from "./build.mjs";
import { functions, imports, names, section, sectionId } from "./lib/module.mjs";
import { answer, at, Failure, isMain, script } from "./lib/run.mjs";
import { compressed, kilobytes } from "./lib/size.mjs";
import { setup } from "./setup.mjs";

const history = at("docs", "size.json");
const dist = at("pkg", "dist");
const shipped = join(dist, "quorate.wasm");

/** The functions of a module that has names, each with its bytes, the largest first. */
export function measure(module) {
  const known = names(module);
  const before = imports(section(module, sectionId.import)).length;
  const list = functions(module).map((body, place) => {
    return { name: known.get(before + place) ?? "", bytes: body.length };
  });
  if (list.every(({ name }) => name === "")) throw new Failure("the module has no names");
  return list.sort((a, b) => b.bytes - a.bytes);
}

/** Where a function is from: the first crate in its name, or the names that wasm-bindgen and the compiler give. */
export function crateOf(name) {
  const crate = /\b([a-z_][a-z0-9_]*)(?:\[[0-9a-f]+\])?::/.exec(name)?.[1];
  return crate ?? "exports, shims";
}

/** Bytes and functions of each crate, the largest first. */
export function byCrate(list) {
  const crates = new Map();
  for (const { name, bytes } of list) {
    const crate = crateOf(name);
    const [sum, count] = crates.get(crate) ?? [0, 0];
    crates.set(crate, [sum + bytes, count + 1]);
  }
  return [...crates].sort(([, [a]], [, [b]]) => b - a);
}

if (isMain(import.meta.url)) {
  await script(async () => {
    const { values } = parseArgs({
      options: { top: { type: "string", default: "20" }, record: { type: "string" } },
    });
    await setup("start");
    await build({ quiet: true });
    const module = await named(join(at("target"), "named.wasm"));
    const list = measure(module);
    const code = list.reduce((sum, { bytes }) => sum + bytes, 0);
    const row = (name, bytes, note) =>
      console.log(
        `${kilobytes(bytes).padStart(10)} ${((100 * bytes) / code).toFixed(1).padStart(5)} %  ${name}${note}`,
      );
    for (const [crate, [bytes, count]] of byCrate(list)) row(crate, bytes, `, ${count} functions`);
    console.log();
    for (const { name, bytes } of list.slice(0, Number(values.top))) row(name, bytes, "");
    const [raw, gzip, brotli] = compressed(shipped);
    console.log(`\nshipped: ${[raw, gzip, brotli].map(kilobytes).join(", ")} (raw, gzip, brotli)`);
    if (values.record === undefined) return;
    const rows = JSON.parse(readFileSync(history, "utf8"));
    const date = answer("git", ["log", "-1", "--format=%cs"]);
    const crates = Object.fromEntries(byCrate(list).map(([crate, [bytes]]) => [crate, bytes]));
    const scripts = Object.fromEntries(
      readdirSync(dist)
        .filter((name) => name.endsWith(".js"))
        .map((name) => [name, compressed(join(dist, name))]),
    );
    rows.push({ date, why: values.record, raw, gzip, brotli, crates, scripts });
    writeFileSync(history, `${JSON.stringify(rows, undefined, 2)}\n`);
  });
}
