// What is checked without running the code: format, lints, types, documentation.

import { existsSync } from "node:fs";

import { at } from "./run.mjs";
import { wasmTarget } from "./tools.mjs";

/** Crates without a browser in them: they are tested on both targets. */
export const pureCrates = [
  "quorate-raft",
  "quorate-rsm",
  "quorate-kv",
  "quorate-shard",
  "quorate-mapreduce",
  "quorate-sim",
];
/** Crates that exist on wasm32 only. */
export const wasmCrates = ["quorate-wasm", "quorate-mapreduce-wasm", "quorate-sim-wasm"];
/** What a fuzzer runs, and a suite of its own replays. */
export const fuzzTargets = "quorate-fuzz-targets";

/** The flag `name` before each of the crates. */
export const flags = (name, crates) => crates.flatMap((crate) => [name, crate]);

const cargo = (...args) => ({ command: "cargo", args });
const strict = { RUSTDOCFLAGS: "-D warnings" };
const types = (...args) => ({ command: "tsc", args: ["--noEmit", ...args] });

export const checks = [
  {
    name: "rustfmt",
    about: "Rust is formatted",
    minutes: 5,
    steps: [cargo("fmt", "--all", "--check")],
  },
  {
    name: "clippy",
    about: "no warnings, native and wasm32",
    minutes: 30,
    steps: [
      cargo(
        "clippy",
        "--workspace",
        ...flags("--exclude", wasmCrates),
        "--all-targets",
        "--",
        "-D",
        "warnings",
      ),
      cargo(
        "clippy",
        "--target",
        wasmTarget,
        ...flags("-p", [...pureCrates, ...wasmCrates]),
        "--all-targets",
        "--",
        "-D",
        "warnings",
      ),
      cargo(
        "clippy",
        "--target",
        wasmTarget,
        ...flags("-p", wasmCrates),
        "--features=shards",
        "--all-targets",
        "--",
        "-D",
        "warnings",
      ),
    ],
  },
  {
    name: "rustdoc",
    about: "documentation without warnings",
    minutes: 30,
    steps: [
      {
        ...cargo("doc", "--workspace", ...flags("--exclude", wasmCrates), "--no-deps"),
        env: strict,
      },
      {
        ...cargo("doc", "--target", wasmTarget, ...flags("-p", wasmCrates), "--no-deps"),
        env: strict,
      },
    ],
  },
  {
    name: "types",
    about: "TypeScript, strict",
    minutes: 5,
    // The package's sources import the glue, so the build comes first.
    steps: ["tsconfig.json", "www/tsconfig.json"]
      .filter((path) => existsSync(at(path)))
      .map((path) => types("-p", path)),
  },
  {
    name: "lint",
    about: "TypeScript and JavaScript: format and lints",
    minutes: 5,
    steps: [{ command: "biome", args: ["ci", "--error-on-warnings"] }],
  },
];
