// The simulator on wasm32, under Node.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { at, must } from "../../scripts/lib/run.mjs";
import { wasmTarget } from "../../scripts/lib/tools.mjs";

const panicked = 10;

/** Builds the module; the folder that it is in. */
export async function build(io = {}) {
  const out = at("target", "sim-wasm");
  mkdirSync(out, { recursive: true });
  const cargo = [
    "build",
    "--quiet",
    "--release",
    "-p",
    "quorate-sim-replay",
    "--target",
    wasmTarget,
  ];
  await must("cargo", cargo, io);
  const module = at("target", wasmTarget, "release", "quorate_sim_replay.wasm");
  await must("wasm-bindgen", ["--target", "web", "--out-dir", out, module], io);
  return out;
}

/** A fresh instance of the module: what it gives for the options of one world. */
export async function load(folder) {
  const wasm = await import(pathToFileURL(join(folder, "quorate_sim_replay.js")));
  wasm.initSync({ module: readFileSync(join(folder, "quorate_sim_replay_bg.wasm")) });
  return (options) => {
    const [code, text, complaint] = wasm.replay(options.join(" "));
    return { code: Number(code), text, complaint };
  };
}

/** Runs one world, prints what there is to print, and gives the exit code. */
export async function replay(options) {
  const run = await load(await build());
  try {
    const { code, text, complaint } = run(options);
    process.stdout.write(text);
    if (complaint !== "") console.error(complaint);
    return code;
  } catch (error) {
    // The module has told why, and is of no more use.
    if (error instanceof WebAssembly.RuntimeError) return panicked;
    throw error;
  }
}
