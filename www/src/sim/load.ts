/** Loads one of the simulator's modules: the code that ships, or the same with bugs that can be switched on. */

import type { SimModule } from "./module.js";

export async function loadSimulator(planted: boolean): Promise<SimModule> {
  const module = planted
    ? await import("../../wasm/planted/sim.js")
    : await import("../../wasm/sim/sim.js");
  const wasm = planted
    ? new URL("../../wasm/planted/sim_bg.wasm", import.meta.url)
    : new URL("../../wasm/sim/sim_bg.wasm", import.meta.url);
  await module.default({ module_or_path: wasm });
  return module;
}
