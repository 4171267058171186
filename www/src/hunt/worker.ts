/** A worker of a hunt: lives the worlds that it is told. */

import type { HuntResult } from "../sim/chunk.js";
import { loadSimulator } from "../sim/load.js";
import type { SimModule } from "../sim/module.js";
import { batchOf } from "./tally.js";
import type { Order, Report } from "./work.js";

let module: Promise<SimModule> | undefined;

addEventListener("message", async ({ data }: MessageEvent<Order>) => postMessage(await live(data)));

async function live({ first, count, bug, torment }: Order): Promise<Report> {
  let simulator: SimModule;
  try {
    // A worker is for one hunt: it needs one of the modules.
    module ??= loadSimulator(bug !== null);
    simulator = await module;
  } catch (error) {
    return { is: "problem", text: textOf(error) };
  }
  const began = performance.now();
  const results: HuntResult[] = [];
  for (let seed = first; seed < first + count; seed++) {
    try {
      results.push(simulator.hunt(seed, torment, bug));
    } catch (error) {
      results.push(panicked(seed, textOf(error)));
      return { is: "spoiled", batch: batchOf(results), next: seed + 1 };
    }
  }
  return { is: "lived", batch: batchOf(results), took: performance.now() - began };
}

/** A world in which the code itself found that something cannot be. */
function panicked(seed: number, text: string): HuntResult {
  const failure = { kind: "safety", property: "An assertion", text } as const;
  return { seed, events: 0, faults: 0, time: 0, failure };
}

const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
