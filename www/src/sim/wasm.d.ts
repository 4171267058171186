/** The glue of the simulator's modules, which are built into `www/wasm`. */

declare module "*/wasm/sim/sim.js" {
  type SimModule = import("./module.js").SimModule;
  const init: SimModule["default"];
  export default init;
  export const Stage: SimModule["Stage"];
  export const hunt: SimModule["hunt"];
  export const properties: SimModule["properties"];
  export const bugs: SimModule["bugs"];
}

declare module "*/wasm/planted/sim.js" {
  export * from "*/wasm/sim/sim.js";
  export { default } from "*/wasm/sim/sim.js";
}
