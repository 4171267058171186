// A plugin of Vite: writes the worker that keeps the site for when there is no network, with the list of what there is to keep.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** Files that are larger come later. */
const SMALL = 400_000;

const files = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)],
  );

export const offline = {
  name: "offline",
  apply: "build",
  writeBundle({ dir }) {
    const paths = files(dir).sort();
    const hash = createHash("sha256");
    for (const path of paths) hash.update(relative(dir, path)).update(readFileSync(path));
    const url = (path) => `./${relative(dir, path).split(sep).join("/")}`;
    const isSmall = (path) => statSync(path).size <= SMALL;
    const site = {
      version: hash.digest("hex").slice(0, 16),
      files: paths.filter(isSmall).map(url),
      later: paths.filter((path) => !isSmall(path)).map(url),
    };
    const worker = readFileSync(new URL("./worker.js", import.meta.url), "utf8");
    writeFileSync(join(dir, "offline.js"), `self.SITE = ${JSON.stringify(site)};\n${worker}`);
  },
};
