// The recipes as modules that tests can import without building the whole package.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { rolldown } from "rolldown";

const source = fileURLToPath(new URL("../../../pkg/src/", import.meta.url));

async function bundle() {
  const dir = mkdtempSync(join(tmpdir(), "quorate-recipes-"));
  try {
    const input = { recipes: join(source, "recipes/index.ts"), errors: join(source, "errors.ts") };
    const all = await rolldown({ external: /^node:/, input });
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
