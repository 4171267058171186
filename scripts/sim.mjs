// npm run sim -- <arguments>: the simulator, optimized. Needs Rust, and the C compiler it links with; with `--wasm` one world runs on wasm32.

import { run, script } from "./lib/run.mjs";

await script(async () => {
  const args = process.argv.slice(2);
  if (args.includes("--wasm") && args.includes("--seed")) {
    const { replay } = await import("../tests/sim/wasm.mjs");
    return replay(args.filter((arg) => arg !== "--wasm"));
  }
  const cargo = ["run", "--quiet", "--release", "-p", "quorate-sim", "--bin", "sim", "--"];
  const { code } = await run("cargo", [...cargo, ...args]);
  return code;
});
