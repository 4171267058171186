// The recipes as modules that tests can import without building the whole package; with a mistake in them, if that is asked for.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { rolldown } from "rolldown";
import { planted } from "../planted.mjs";

const source = fileURLToPath(new URL("../../../pkg/src/", import.meta.url));

/** A plugin that plants the mistake that the environment names. */
function mistake(name) {
  const [, file, from, to] = planted.find(([it]) => it === name);
  const path = join(source, "recipes", file);
  return {
    name: "mistake",
    load: (id) => (id === path ? readFileSync(path, "utf8").replace(from, () => to) : null),
  };
}

async function bundle() {
  const dir = mkdtempSync(join(tmpdir(), "quorate-recipes-"));
  try {
    const { QUORATE_PLANTED: name } = process.env;
    const plugins = name === undefined ? [] : [mistake(name)];
    const input = { recipes: join(source, "recipes/index.ts"), errors: join(source, "errors.ts") };
    const all = await rolldown({ external: /^node:/, input, plugins });
    await all.write({
      dir,
      format: "es",
      entryFileNames: "[name].mjs",
      chunkFileNames: "[name].mjs",
    });
    await all.close();
    const load = (name) => import(pathToFileURL(join(dir, `${name}.mjs`)).href);
    return [await load("recipes"), await load("errors")];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The recipes, and the errors that they use. */
export const [recipes, errors] = await bundle();
