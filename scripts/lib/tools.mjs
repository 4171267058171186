// What a machine needs beside Rust, Node and npm: the single list of tools, versions and reasons.

import { readFileSync } from "node:fs";

import { at, Failure } from "./run.mjs";

/** The exact version of a package in Cargo.lock. */
function locked(name) {
  const lock = readFileSync(at("Cargo.lock"), "utf8");
  const version = new RegExp(`name = "${name}"\nversion = "([^"]+)"`).exec(lock)?.[1];
  if (version === undefined) throw new Failure(`${name} is not in Cargo.lock`);
  return version;
}

/** Command-line tools from crates.io. All `programs` must be of that version and side by side. */
export const cargoTools = () => [
  {
    crate: "wasm-bindgen-cli",
    // The tool must equal the library to the digit, or it refuses the module.
    version: locked("wasm-bindgen"),
    programs: ["wasm-bindgen", "wasm-bindgen-test-runner"],
    features: ["--no-default-features"],
    why: "writes the JavaScript glue of the wasm, and runs Rust tests in browsers",
    usually: "2 to 4 minutes",
    modes: ["start", "test"],
  },
  {
    crate: "wasm-pack",
    version: "0.15.1",
    programs: ["wasm-pack"],
    features: [],
    why: "drives the browsers for the tests of the wasm",
    usually: "1.5 to 3 minutes",
    modes: ["test"],
  },
  {
    crate: "geckodriver",
    version: "0.37.1",
    programs: ["geckodriver"],
    features: [],
    why: "lets tests drive Firefox",
    usually: "1.5 to 3 minutes",
    modes: ["test"],
  },
];

/** Programs from Debian. `needs` are the programs by which we know that the package is there. */
export const debianPackages = [
  { name: "gcc", needs: ["cc"], why: "links Rust programs", modes: ["start", "test"] },
  {
    name: "libc6-dev",
    needs: [],
    file: "/usr/include/stdlib.h",
    why: "links Rust programs",
    modes: ["start", "test"],
  },
  { name: "valgrind", needs: ["valgrind"], why: "counts instructions", modes: ["test"] },
  { name: "chromium", needs: ["chromium"], why: "browser under test", modes: ["test"] },
  { name: "chromium-driver", needs: ["chromedriver"], why: "drives Chromium", modes: ["test"] },
  { name: "firefox-esr", needs: ["firefox-esr"], why: "browser under test", modes: ["test"] },
  {
    name: "webkit2gtk-driver",
    needs: ["WebKitWebDriver"],
    why: "WebKit, browser and driver",
    modes: ["test"],
  },
  { name: "xvfb", needs: ["xvfb-run", "Xvfb"], why: "a screen for WebKit", modes: ["test"] },
  { name: "xauth", needs: ["xauth"], why: "a screen for WebKit", modes: ["test"] },
];

/**
 * Programs that are only taken out of packages from Debian: installed, they would run as services of the system. Tests say what
 * they do without them.
 */
export const unpackedPackages = [
  { name: "etcd-server", program: "usr/bin/etcd", why: "the store is compared with it" },
];

export const wasmTarget = "wasm32-unknown-unknown";
