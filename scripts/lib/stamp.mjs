// Skips work whose inputs did not change: a stamp file holds the hash of all that went in.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** All files under a path (a file or a folder), sorted. */
export function files(path, keep = () => true) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return keep(path) ? [path] : [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.name !== "node_modules" && entry.name !== "target")
    .flatMap((entry) => files(join(path, entry.name), keep))
    .sort();
}

/** A hash of the contents of files and of any further words (versions, modes). */
export function fingerprint(paths, ...words) {
  const hash = createHash("sha256");
  for (const word of words) hash.update(`${word}\0`);
  for (const path of paths) {
    const bytes = readFileSync(path);
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** Whether `stamp` holds `print` and every one of `products` still exists. */
export function isFresh(stamp, print, products = []) {
  if (![stamp, ...products].every((path) => existsSync(path))) return false;
  return readFileSync(stamp, "utf8") === print;
}

export function writeStamp(stamp, print) {
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, print);
}
