// Sources of pkg/src as modules that tests can import, without building the whole package.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { rolldown } from "rolldown";

const source = fileURLToPath(new URL("../pkg/src/", import.meta.url));

/** The modules at these places in pkg/src, by the same names. What they share is there once. */
export async function bundle(places) {
  const dir = mkdtempSync(join(tmpdir(), "quorate-"));
  try {
    const input = Object.fromEntries(
      Object.entries(places).map(([name, place]) => [name, join(source, place)]),
    );
    const all = await rolldown({ external: /^node:/, input });
    const file = "[name].mjs";
    await all.write({ dir, format: "es", entryFileNames: file, chunkFileNames: file });
    await all.close();
    const loaded = Object.keys(places).map(async (name) => [
      name,
      await import(pathToFileURL(join(dir, `${name}.mjs`)).href),
    ]);
    return Object.fromEntries(await Promise.all(loaded));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
