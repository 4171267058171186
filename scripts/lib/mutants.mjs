// Planted bugs: how they are written down, put into a copy of the crates, built, and hunted with seeds.
//
// The list is text, in tests/mutants/*.txt; its README has the form. Nothing of it is ever compiled in this checkout.

import { copyFileSync, readFileSync } from "node:fs";
import { basename, join, relative } from "node:path";

import { Copy, source } from "./copy.mjs";
import { at, Failure, newLog, root, run } from "./run.mjs";
import { files } from "./stamp.mjs";

export const folder = at("tests", "mutants");

/** Seeds after which a bug counts as not found. */
export const SEEDS = 1000;

/** Minutes of the simulator for one bug. */
const MINUTES = 10;

/** The worlds in which a bug may be hunted: how the simulator is asked for some, and for one. */
const WORLDS = {
  groups: { many: [], one: (seed) => ["--seed", `${seed}`] },
  shards: { many: ["shards"], one: (seed) => ["shards", "--from", `${seed}`, "--seeds", "1"] },
};

/**
 * What the simulator ends with when no world failed: also when they differ from those of the tree, and when something
 * never came up in them.
 */
const CLEAN = [0, 13, 14];

/** Every planted bug, in the order of the files and of the lines in them. */
export function readBugs() {
  const lists = files(
    folder,
    (path) => path.endsWith(".txt") && basename(path) !== "elsewhere.txt",
  );
  return lists.flatMap((path) => parseBugs(readFileSync(path, "utf8"), relative(root, path)));
}

/** The classes of bugs that the simulator does not look for, each with the test that does. */
export function readElsewhere() {
  const path = join(folder, "elsewhere.txt");
  const lines = readFileSync(path, "utf8").split("\n").entries();
  return [...lines]
    .filter(([, line]) => line.trim() !== "" && !line.startsWith("#"))
    .map(([number, line]) => {
      const found = line.match(/^(\d+) (?:(\S+?)::("[^"]+"|\w+)|nowhere): (.+)$/);
      if (found === null) throw new Failure(`${path}:${number + 1}: what is ${line}?`);
      const [, kind, file, test, about] = found;
      return { class: Number(kind), file, test, about };
    });
}

/** Whether `file` has the test `test`: the name of a Rust function, or the quoted sentence of a test for Node. */
export function hasTest(file, test) {
  return source(file).includes(test.startsWith('"') ? `test(${test},` : `fn ${test}(`);
}

/**
 * Reads one list. A bug is
 *   { name, from, classes, breaks, caughtBy, worlds, test?, edits: [{ path, find, replace }, …] }
 * where `find` and `replace` are lines without their indentation, `worlds` is one of `WORLDS`, and `test` is
 * { file, name } where no seed can find it. A list may have further words, each with what follows it; a bug has what it
 * says under that name.
 */
export function parseBugs(text, from, further = []) {
  const bugs = [];
  let path;
  let last;
  const words = ["classes", "breaks", "worlds", "caught by", ...further].map((word) => `${word}:`);
  const form = new RegExp(`^(##|${words.join("|")}|in|-|\\+)(?: (.*))?$`);
  const fail = (number, what) => new Failure(`${from}:${number}: ${what}`);
  for (const [place, line] of text.split("\n").entries()) {
    const number = place + 1;
    const [, sign, rest] = line.match(form) ?? [];
    const bug = bugs.at(-1);
    if (sign === undefined) {
      if (line !== "" && !line.startsWith("//")) throw fail(number, `what is ${line}?`);
    } else if (sign === "##") {
      bugs.push({ name: rest, from: `${from}:${number}`, worlds: "groups", edits: [] });
      path = undefined;
    } else if (bug === undefined) {
      throw fail(number, "a list begins with the name of a bug");
    } else if (sign === "classes:") {
      bug.classes = rest.split(", ").map(Number);
    } else if (sign === "breaks:") {
      bug.breaks = rest;
    } else if (sign === "worlds:") {
      if (WORLDS[rest] === undefined) throw fail(number, `there are no worlds of ${rest}`);
      bug.worlds = rest;
    } else if (sign === "caught by:") {
      bug.caughtBy = rest.split(" | ");
      const [, file, name] = rest.match(/^((?:crate|tests)\/\S+)::(\w+)$/) ?? [];
      if (file !== undefined) bug.test = { file, name };
    } else if (further.includes(sign.slice(0, -1))) {
      bug[sign.slice(0, -1)] = rest;
    } else if (sign === "in") {
      path = rest;
    } else {
      // A line to be found begins a new edit, unless it follows one.
      if (sign === "-" && last !== "-") bug.edits.push({ path, find: [], replace: [] });
      const edit = bug.edits.at(-1);
      if (path === undefined || edit === undefined) throw fail(number, "nothing to change yet");
      (sign === "-" ? edit.find : edit.replace).push((rest ?? "").trim());
    }
    last = sign;
  }
  for (const bug of bugs) {
    const { name, classes, breaks, caughtBy, edits } = bug;
    if (!/^[a-z0-9-]+$/.test(name ?? "")) throw new Failure(`${bug.from}: a name in kebab-case`);
    const whole = breaks && caughtBy?.length > 0 && edits.length > 0;
    if (!whole || !classes?.every((one) => one >= 0 && one <= 60))
      throw new Failure(`${bug.from}: ${name} lacks classes, breaks, caught by, or a change`);
  }
  return bugs;
}

/** The files that `bug` changes, with their new text. `read` gives the old one. */
export function mutate(bug, read) {
  const changed = new Map();
  for (const { path, find, replace } of bug.edits) {
    const text = changed.get(path) ?? read(path);
    // Indentation is the formatter's business, so it does not count.
    const pattern = find.map((line) => line.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("\\n\\s*");
    const places = [...text.matchAll(new RegExp(pattern, "g"))];
    if (places.length !== 1) {
      const what = find.join("\n    ");
      throw new Failure(
        `${bug.from}: ${bug.name} must fit once, not ${places.length} times, in ${path}:\n    ${what}`,
      );
    }
    const [{ index, 0: old }] = places;
    changed.set(path, text.slice(0, index) + replace.join("\n") + text.slice(index + old.length));
  }
  return changed;
}

/** A copy of the crates under target/, in which one bug at a time is planted. */
export class Plot extends Copy {
  constructor(number) {
    super(at("target", "mutants", `${number}`));
    this.log = `mutants-${number}.log`;
    this.planted = new Map();
    newLog(this.log);
    this.copy();
  }

  /** Takes out what is planted, and plants `bug`; without one the crates are as they should be. */
  plant(bug) {
    const changes = bug === undefined ? new Map() : mutate(bug, source);
    for (const path of this.planted.keys()) {
      if (!changes.has(path)) this.write(path, source(path));
    }
    for (const [path, text] of changes) this.write(path, text);
    this.planted = changes;
  }

  /** Runs the test that a bug names, natively: whether it ran and failed. */
  async refute(bug) {
    let failed = false;
    const { file, name } = bug.test;
    const onLine = (line) => {
      failed ||= line.startsWith("test ") && line.endsWith(`${name} ... FAILED`);
    };
    const [, krate, kind, rest] = file.match(/^(?:crate\/)?(\w+)\/(src|tests)\/(.+)$/);
    const target = kind === "src" ? ["--lib"] : ["--test", rest.replace(/(\/.*|\.rs)$/, "")];
    const args = ["test", "-p", `quorate-${krate}`, ...target, "--", name];
    const env = { CARGO_TARGET_DIR: this.target, CARGO_INCREMENTAL: "1" };
    const { seconds } = await run("cargo", args, { cwd: this.folder, env, log: this.log, onLine });
    return { failed, seconds };
  }

  /** Builds the simulator; whether that worked. */
  async build() {
    // As in a release, but built in pieces, so that a bug costs seconds.
    const env = {
      CARGO_TARGET_DIR: this.target,
      CARGO_INCREMENTAL: "1",
      CARGO_PROFILE_RELEASE_LTO: "off",
      CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "16",
    };
    const args = ["build", "--quiet", "--release", "-p", "quorate-sim", "--bin", "sim"];
    const { code } = await run("cargo", args, { cwd: this.folder, env, log: this.log });
    return code === 0;
  }

  get target() {
    return at("target", "mutants", "target", basename(this.folder));
  }

  /** Builds the simulator without a bug, and keeps it, to tell whose fault a failing seed is. */
  async prepare() {
    this.plant(undefined);
    if (!(await this.build())) throw new Failure("the crates do not build as they are");
    copyFileSync(this.sim, this.sound);
  }

  get sim() {
    return join(this.target, "release", "sim");
  }

  get sound() {
    return join(this.target, "release", "sim-sound");
  }

  /**
   * Runs seeds of the worlds named until one fails that passes without the bug: how many that took and what was seen, or
   * undefined when none does.
   */
  async hunt(seeds, worlds) {
    const limit = AbortSignal.timeout(MINUTES * 60_000);
    const blamed = [];
    const started = performance.now();
    const end = (found) => {
      const seconds = (performance.now() - started) / 1000;
      return { found, seconds, blamed, aborted: limit.aborted };
    };
    for (let from = 1; from <= seeds; ) {
      const found = await this.firstFailure(from, seeds, limit, worlds);
      if (limit.aborted || found === undefined) return end(undefined);
      const args = WORLDS[worlds].one(found.seed);
      const { code } = await run(this.sound, args, { log: this.log, limit });
      // The seeds that taught something come behind the range.
      if (code === 0) return end({ ...found, count: Math.min(found.seed, seeds + 1) });
      blamed.push(found.seed);
      from = found.seed + 1;
    }
    return end(undefined);
  }

  async firstFailure(from, seeds, limit, worlds) {
    let found;
    const onLine = (line) => {
      const [, seed, what] = line.match(/^seed (\d+): (.+)$/) ?? [];
      if (seed !== undefined) found ??= { seed: Number(seed), ...verdict(what) };
    };
    const range = ["--from", `${from}`, "--seeds", `${seeds - from + 1}`];
    const args = [...WORLDS[worlds].many, ...range];
    const { code } = await run(this.sim, args, { log: this.log, onLine, limit });
    if (found === undefined && !CLEAN.includes(code) && !limit.aborted)
      throw new Failure(`the simulator ended with code ${code}, and says nothing of a seed`);
    return found;
  }
}

/** What a failing run says: the property that broke, and what was seen. */
function verdict(what) {
  const [, property, seen] = what.match(/^safety: ([^:]+): (.*)$/) ?? [];
  if (property !== undefined) return { property, seen };
  if (what.startsWith("liveness: "))
    return { property: "Liveness", seen: what.slice("liveness: ".length) };
  return { property: "An assertion", seen: what };
}
