// The crates, copied to another place to be changed there: nothing of that is ever compiled in this checkout.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

import { at, Failure, root } from "./run.mjs";
import { files } from "./stamp.mjs";

/** Rust of the simulator and of all below it, and what Cargo needs to know of the rest. */
const copied = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "crate", "tests"];

export class Copy {
  constructor(folder) {
    this.folder = folder;
  }

  /**
   * Brings the copy up to date; the files in `changes` have another text, or are there in addition. What is as it was stays untouched, so
   * that Cargo need not build it again.
   */
  copy(changes = new Map()) {
    const wanted = copied.flatMap((path) => files(at(path), isForCargo));
    const names = new Set([...wanted.map((path) => relative(root, path)), ...changes.keys()]);
    for (const old of files(this.folder)) {
      const name = relative(this.folder, old);
      if (!names.has(name)) rmSync(old);
    }
    for (const name of names) this.write(name, changes.get(name) ?? source(name));
  }

  write(name, text) {
    const path = join(this.folder, name);
    try {
      if (readFileSync(path, "utf8") === text) return;
    } catch {
      mkdirSync(dirname(path), { recursive: true });
    }
    writeFileSync(path, text);
  }
}

/** The text of a file of this checkout. */
export function source(path) {
  try {
    return readFileSync(at(path), "utf8");
  } catch {
    throw new Failure(`there is no ${path}`);
  }
}

function isForCargo(path) {
  return /\.(rs|toml|lock)$/.test(path);
}
