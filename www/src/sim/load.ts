/** Loads one of the simulator's modules: the code that ships, or the same with bugs that can be switched on. */

import type { SimModule } from "./module.js";

export async function loadSimulator(planted: boolean): Promise<SimModule> {
  const module = planted
    ? await import("../../wasm/sim-planted.js")
    : await import("../../wasm/sim.js");
  const wasm = planted
    ? new URL("../../wasm/sim-planted_bg.wasm", import.meta.url)
    : new URL("../../wasm/sim_bg.wasm", import.meta.url);
  await module.default({ module_or_path: wasm });
  return module;
}
