// The core alone: natively, and the same on wasm32.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { releaseProfile } from "../../scripts/build.mjs";
import { answer, at, must } from "../../scripts/lib/run.mjs";
import { count, names, print, time, times } from "./table.mjs";

const sizes = [16, 1024, 65_536];
const depths = [1, 16, 256];
const crate = ["build", "-p", "quorate-bench", "--release"];
const target = "wasm32-unknown-unknown";

/** Measures both, in turns. */
export async function measureCore(seconds, repeat) {
  const io = { log: "bench.log" };
  await must("cargo", crate, io);
  await must("cargo", [...crate, "--lib", "--target", target], { ...io, env: releaseProfile });
  const out = at("target", "bench");
  const module = at("target", target, "release", "quorate_bench.wasm");
  await must("wasm-bindgen", ["--target", "web", "--out-dir", out, module], io);
  const wasm = await import(pathToFileURL(join(out, "quorate_bench.js")));
  wasm.initSync({ module: readFileSync(join(out, "quorate_bench_bg.wasm")) });
  // An engine compiles twice: at once, and well once the code is hot.
  wasm.measure(50_000, 256, 16);
  const sides = {
    native: (...numbers) =>
      answer(at("target", "release", "core"), numbers.map(String))
        .split(" ")
        .map(Number),
    wasm: (...numbers) => [...wasm.measure(...numbers)],
  };

  const cells = [];
  for (const size of sizes) {
    for (const depth of depths) {
      const results = { native: [], wasm: [] };
      for (let turn = 0; turn < repeat; turn++) {
        for (const [side, measure] of Object.entries(sides)) {
          const [short] = measure(depth * 4, depth, size);
          const count = Math.max(depth * 4, Math.round((depth * 4 * seconds) / short));
          const [elapsed, p50, p99, rounds] = measure(Math.min(count, 200_000), depth, size);
          const shared = Math.min(count, 200_000) / rounds;
          results[side].push({
            size,
            depth,
            perSecond: Math.min(count, 200_000) / elapsed,
            p50,
            p99,
            shared,
          });
        }
      }
      cells.push({ native: results.native, wasm: results.wasm });
    }
  }
  return {
    native: cells.map(({ native }) => native),
    wasm: cells.map(({ wasm }) => wasm),
  };
}

export function printCore({ native, wasm }) {
  const rows = native.map((cell, at) => [
    names[cell.size],
    cell.depth,
    count(cell.perSecond),
    time(cell.p50),
    time(cell.p99),
    count(wasm[at].perSecond),
    time(wasm[at].p50),
    time(wasm[at].p99),
    times(cell.perSecond / wasm[at].perSecond),
  ]);
  const heads = [
    "value",
    "in flight",
    "native/s",
    "p50",
    "p99",
    "wasm/s",
    "p50",
    "p99",
    "native/wasm",
  ];
  print("The core alone: three nodes and a client in one thread, nothing to wait for", heads, rows);
}
