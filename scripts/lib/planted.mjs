// The bugs that can be switched on at run time, for the page: a copy of the crates that has all of them.
//
// The list is crate/sim-wasm/planted.txt, in the form of tests/mutants. What it puts in asks `planted::is`, which is in the copy alone.

import { Copy, source } from "./copy.mjs";
import { mutate, parseBugs } from "./mutants.mjs";
import { at, Failure } from "./run.mjs";

export const list = "crate/sim-wasm/planted.txt";

/** Where the copy is. What Cargo makes of it is there, too. */
export const planted = at("target", "planted");

/** What the list says of each beside what those of tests/mutants have, for visitors. */
const FURTHER = ["title", "paper", "try", "scene"];

/** Every entry of the list, in its order. One of class 0 is a variant, and no bug. */
export function readPlanted(text = source(list)) {
  const entries = parseBugs(text, list, FURTHER);
  for (const { from, name, title, paper, edits } of entries) {
    if (!title || !paper)
      throw new Failure(`${from}: ${name} lacks a title, or its place in the paper`);
    const guards = edits.flatMap(
      ({ replace }) => replace.join(" ").match(/planted::is\("[^"]*"\)/g) ?? [],
    );
    if (guards.length < edits.length || !guards.every((guard) => guard.includes(`"${name}"`)))
      throw new Failure(
        `${from}: each change of ${name} asks whether it is on, and for nothing else`,
      );
  }
  return entries.map((entry) => ({ ...entry, isBug: !entry.classes.includes(0) }));
}

/** What the page shows of an entry. */
export function shown({ from, classes, worlds, edits, scene = "", ...said }) {
  const fields = scene.match(/\S+/g)?.map((field) => field.split("=")) ?? [];
  const values = fields.map(([key, text]) => [key, /^\d+$/.test(text) ? Number(text) : text]);
  const changes = edits.map(({ path, find, replace }) => ({
    path,
    before: indented(find),
    after: indented(replace.map(withoutGuard)),
  }));
  return { try: null, ...said, scene: Object.fromEntries(values), changes };
}

/** Which bug is asked for is plain there. */
const withoutGuard = (line) =>
  line.replace(/(?:crate|quorate_raft)::planted::is\("[^"]*"\)/g, "planted");

/** The list has no indentation; brackets, and what begins with an operator, tell most of it. */
function indented(lines) {
  let depth = 0;
  return lines.map((line) => {
    const closing = line.match(/^[)}\]]*/)[0].length;
    const goesOn = /^(&&|\|\||\.)/.test(line) ? 1 : 0;
    const text = "    ".repeat(Math.max(0, depth - closing) + goesOn) + line;
    for (const letter of line)
      depth += "([{".includes(letter) ? 1 : ")]}".includes(letter) ? -1 : 0;
    depth = Math.max(0, depth);
    return text;
  });
}

/** The files of the crates that are otherwise in the copy, with their text there. */
export function plantedFiles(entries = readPlanted()) {
  const changed = new Map();
  for (const entry of entries) {
    for (const [path, text] of mutate(entry, (path) => changed.get(path) ?? source(path)))
      changed.set(path, text);
  }
  const also = (path, line) => changed.set(path, `${changed.get(path) ?? source(path)}\n${line}\n`);
  also("crate/raft/src/lib.rs", "pub mod planted;");
  also("crate/sim/src/lib.rs", "pub use quorate_raft::planted;");
  changed.set("crate/raft/src/planted.rs", theSwitch(entries.map(({ name }) => name)));
  changed.set("crate/sim-wasm/src/planted.rs", BINDING);
  return changed;
}

/** Makes the copy, or brings it up to date. */
export function plantAll() {
  new Copy(planted).copy(plantedFiles());
}

const theSwitch = (names) => `//! The planted bugs, of which one can be on.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Their names.
pub const NAMES: &[&str] = &[${names.map((name) => `"${name}"`).join(", ")}];

/// The place of the one that is on, counted from 1; 0: none.
static ON: AtomicUsize = AtomicUsize::new(0);

/// Whether this one is on.
#[must_use]
pub fn is(name: &str) -> bool {
    ON.load(Relaxed).checked_sub(1).is_some_and(|at| NAMES[at] == name)
}

/// Switches one on, and all others off. Whether there is such a one.
pub fn set(name: Option<&str>) -> bool {
    let at = match name {
        None => Some(0),
        Some(name) => NAMES.iter().position(|known| *known == name).map(|at| at + 1),
    };
    ON.store(at.unwrap_or(0), Relaxed);
    at.is_some()
}
`;

const BINDING = `//! The planted bugs of this module.

use quorate_sim::planted;

/// Their names.
pub(crate) fn names() -> &'static [&'static str] {
    planted::NAMES
}

/// From now on this bug is on, and no other.
///
/// # Errors
/// There is none of this name: a sentence.
pub(crate) fn set(bug: Option<&str>) -> Result<(), String> {
    match planted::set(bug) {
        true => Ok(()),
        false => Err(format!("this simulator has no bug named {:?}", bug.unwrap_or_default())),
    }
}
`;
