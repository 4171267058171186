// The simulator's modules in Node, and a theatre on them: what the page runs in a worker runs here.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

import { at } from "../../scripts/lib/run.mjs";
import { load } from "../www/load.mjs";

const { World } = await load("sim/world");
const { Theatre } = await load("sim/theatre");
const loaded = new Map();

/** The module `sim`, or `planted`. */
export async function simulator(name) {
  if (!loaded.has(name)) {
    const module = await import(pathToFileURL(at("www", "wasm", name, "sim.js")));
    await module.default({ module_or_path: readFileSync(at("www", "wasm", name, "sim_bg.wasm")) });
    loaded.set(name, module);
  }
  return loaded.get(name);
}

/** A theatre, and what stands in for its worker. */
export function theatre() {
  const world = new World((planted) => simulator(planted ? "planted" : "sim"));
  const listeners = { message: [], error: [] };
  const worker = {
    postMessage({ number, order }) {
      const tell = (data) => {
        for (const listener of listeners.message) listener({ data: structuredClone(data) });
      };
      world.perform(order).then(
        (answer) => tell({ number, answer }),
        (error) => tell({ number, problem: error.message, isLoaded: true }),
      );
    },
    addEventListener: (type, listener) => listeners[type].push(listener),
    terminate() {},
  };
  return new Theatre(worker, () => {});
}
