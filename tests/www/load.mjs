// Pure modules of the page, each by itself.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "rolldown";

/** The module `www/src/<name>.ts`. */
export async function load(name) {
  const input = fileURLToPath(new URL(`../../www/src/${name}.ts`, import.meta.url));
  const { output } = await build({ input, write: false });
  const folder = mkdtempSync(join(tmpdir(), "quorate-www-"));
  try {
    const file = join(folder, "module.mjs");
    writeFileSync(file, output[0].code);
    return await import(pathToFileURL(file));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
