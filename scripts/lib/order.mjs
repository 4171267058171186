// An order of functions in which those that are alike are near each other. A compressor sees what it has seen before,
// and gzip remembers no more than 32 KiB: less than a tenth of the module.

import { functions, imports, section, sectionId, withNames } from "./module.mjs";

/** What gzip remembers. */
const windowBytes = 32_768;
/** Two functions share what they have in common in runs of so many bytes. */
const runBytes = 6;
/** Runs that more than this part of all functions have are nothing in common. */
const commonPart = 1 / 8;
/** So that the smallest functions do not come first, for the one run that they have. */
const sizeBias = 20;

/** The module with names by which its functions sort into that order: wasm-opt's `--reorder-functions-by-name` does it. */
export function nameForOrder(module) {
  const imported = imports(section(module, sectionId.import));
  const ranks = [];
  for (const [rank, place] of alikeTogether(functions(module)).entries()) ranks[place] = rank;
  const name = (kind) => (rank) => `${kind}${String(rank).padStart(6, "0")}`;
  const first = [...imported.keys()].map(name("a"));
  return withNames(module, [...first, ...ranks.map(name("b"))]);
}

/** The places of `bodies` in an order of likeness: next is always what has most in common with the window before it. */
export function alikeTogether(bodies) {
  const runs = distinctive(bodies);
  const having = new Map();
  for (const [place, own] of runs.entries()) {
    for (const run of own) having.set(run, [...(having.get(run) ?? []), place]);
  }

  const shared = new Float64Array(bodies.length);
  const seen = new Map();
  const count = (place, step) => {
    for (const run of runs[place]) {
      const before = seen.get(run) ?? 0;
      seen.set(run, before + step);
      // Only the first in the window, and the last that leaves it, makes a difference.
      if (before === 0 || before + step === 0) {
        for (const other of having.get(run)) shared[other] += step;
      }
    }
  };

  const left = new Set(bodies.keys());
  const order = [];
  let oldest = 0;
  let size = 0;
  while (left.size > 0) {
    let best;
    let most = -1;
    for (const place of left) {
      const part = shared[place] / (runs[place].size + sizeBias);
      if (part > most) [best, most] = [place, part];
    }
    left.delete(best);
    order.push(best);
    count(best, 1);
    for (size += bodies[best].length; size > windowBytes && order[oldest] !== best; oldest++) {
      size -= bodies[order[oldest]].length;
      count(order[oldest], -1);
    }
  }
  return order;
}

/** The runs of each body that it shares with another, but not with everyone. */
function distinctive(bodies) {
  const all = bodies.map((body) => {
    const own = new Set();
    for (let at = 0; at + runBytes <= body.length; at++) own.add(body.readUIntBE(at, runBytes));
    return own;
  });
  const bearers = new Map();
  for (const own of all) for (const run of own) bearers.set(run, (bearers.get(run) ?? 0) + 1);
  const tells = (run) => bearers.get(run) > 1 && bearers.get(run) <= bodies.length * commonPart;
  return all.map((own) => new Set([...own].filter(tells)));
}
