// Sets up a machine that has only Rust (rustup), Node and npm:  node scripts/setup.mjs start|test
//
// Everything comes from the package registries of Rust, npm and Debian. What is there already is left alone, so a second
// run only looks. What cannot be installed is named at the end together with the command that installs it.

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import {
  answer,
  at,
  Failure,
  isMain,
  logPath,
  newLog,
  run,
  script,
  tail,
  which,
} from "./lib/run.mjs";
import { fingerprint, isFresh, writeStamp } from "./lib/stamp.mjs";
import { cargoTools, debianPackages, unpackedPackages, wasmTarget } from "./lib/tools.mjs";

const minimumNode = [20, 19];

/** Installs what `mode` ("start" or "test") needs, or throws a `Failure` that says what is missing and what to do. */
export async function setup(mode) {
  const started = performance.now();
  requireRustAndNode();
  const missing = [];
  const tools = cargoTools().filter((one) => one.modes.includes(mode));
  const debian = debianPackages.filter((one) => one.modes.includes(mode) && !isInstalled(one));
  const inBackground = debian.filter((one) => !one.modes.includes("start"));

  // A linker comes first, for without it cargo cannot build the tools; browsers may arrive while cargo works.
  await installDebian(
    debian.filter((one) => one.modes.includes("start")),
    missing,
  );
  const jobs = [installDebian(inBackground, missing), installNpm(missing)];
  await installTarget(missing);
  for (const tool of tools) await installTool(tool, missing);
  await Promise.all(jobs);
  if (mode === "test") for (const one of unpackedPackages) await unpack(one);

  if (missing.length > 0) {
    const list = missing.map(({ what, command }) => `  - ${what}\n      ${command}`);
    throw new Failure(`Set-up is not complete. Missing, and what installs it:\n${list.join("\n")}`);
  }
  const seconds = (performance.now() - started) / 1000;
  if (seconds > 2) say(`set-up complete in ${time(seconds)}`);
}

function requireRustAndNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < minimumNode[0] || (major === minimumNode[0] && minor < minimumNode[1])) {
    throw new Failure(
      `Node ${minimumNode.join(".")} or newer is needed; this is ${process.versions.node} (https://nodejs.org).`,
    );
  }
  if (which("npm") === undefined) {
    throw new Failure("npm is needed, and is not on PATH. On Debian: apt-get install npm");
  }
  if (which("cargo") === undefined || which("rustc") === undefined) {
    throw new Failure(
      "Rust is needed, and cargo is not on PATH. Install it from https://rustup.rs",
    );
  }
}

const isInstalled = ({ needs, file }) =>
  needs.every((program) => which(program) !== undefined) &&
  (file === undefined || existsSync(file));

async function installDebian(packages, missing) {
  if (packages.length === 0) return;
  const names = packages.map(({ name }) => name);
  const install = ["apt-get", "install", "-y", "--no-install-recommends", ...names];
  const reasons = packages.map(({ name, why }) => `${name} (${why})`).join(", ");
  const give = (why) =>
    missing.push({ what: `${reasons}: ${why}`, command: `sudo ${install.join(" ")}` });

  if (which("apt-get") === undefined) {
    give("this is not Debian or Ubuntu, so use your system's packages of these names, or");
    return;
  }
  const sudo = asRoot();
  if (sudo === undefined) {
    give("installing them needs root, or sudo without a password");
    return;
  }
  const log = `apt-${names[0]}.log`;
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const wait = ["-o", "DPkg::Lock::Timeout=600"];
  const done = await progress(
    `Debian packages: ${reasons}`,
    "1 to 2 minutes",
    log,
    async (options) => {
      for (const command of [["apt-get", "update"], install]) {
        const [program, ...args] = [...sudo, ...command, ...wait];
        const { code } = await run(program, args, { ...options, env });
        if (code !== 0) return false;
      }
      return true;
    },
  );
  if (!done) give(`installing failed, see ${logPath(log)}`);
}

/** What comes before a command that needs root; undefined if there is no way. */
function asRoot() {
  if (process.getuid?.() === 0) return [];
  return answer("sudo", ["-n", "true"]) === undefined ? undefined : ["sudo", "-n"];
}

/** Puts the program of a package into .tools/bin. It does without root where the lists of packages are there. */
async function unpack({ name, program, why }) {
  if (which(basename(program)) !== undefined) return;
  const without = "; tests that use it say what they do without";
  if (which("apt-get") === undefined || which("dpkg-deb") === undefined) {
    say(`${name} (${why}): this is not Debian or Ubuntu${without}`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "quorate-unpack-"));
  const log = `apt-${name}.log`;
  try {
    const done = await progress(`${name}: ${why}`, "10 seconds", log, async (options) => {
      const ok = async (command, args) =>
        (await run(command, args, { ...options, cwd: folder })).code === 0;
      const download = () => ok("apt-get", ["download", name]);
      if (!(await download())) {
        const [command, ...args] = [...(asRoot() ?? ["sudo", "-n"]), "apt-get", "update"];
        if (!(await ok(command, args)) || !(await download())) return false;
      }
      const file = readdirSync(folder).find((file) => file.endsWith(".deb"));
      if (!(await ok("dpkg-deb", ["-x", join(folder, file), folder]))) return false;
      mkdirSync(at(".tools", "bin"), { recursive: true });
      copyFileSync(join(folder, program), at(".tools", "bin", basename(program)));
      return true;
    });
    if (!done) say(`${name} could not be had${without}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function installNpm(missing) {
  const print = fingerprint([at("package-lock.json")], process.version);
  const stamp = at("node_modules", ".set-up");
  if (isFresh(stamp, print)) return;
  const log = "npm.log";
  const done = await progress(
    "npm packages: bundler, wasm-opt, TypeScript",
    "under 1 minute",
    log,
    async (options) => (await run("npm", ["ci", "--no-audit", "--no-fund"], options)).code === 0,
  );
  if (done) writeStamp(stamp, print);
  else
    missing.push({
      what: `npm packages: installing failed, see ${logPath(log)}`,
      command: "npm ci",
    });
}

async function installTarget(missing) {
  const sysroot = answer("rustc", ["--print", "sysroot"]);
  if (sysroot !== undefined && existsSync(join(sysroot, "lib/rustlib", wasmTarget, "lib"))) return;
  const command = ["rustup", "target", "add", wasmTarget];
  const give = (why) =>
    missing.push({
      what: `Rust's standard library for ${wasmTarget}: ${why}`,
      command: command.join(" "),
    });
  if (which("rustup") === undefined) {
    give("rustup is not on PATH, so use your system's package for it, or");
    return;
  }
  const log = "rustup.log";
  const done = await progress("Rust for wasm32", "10 seconds", log, async (options) => {
    for (const pause of [0, 2000, 8000]) {
      await sleep(pause);
      if ((await run(command[0], command.slice(1), options)).code === 0) return true;
    }
    return false;
  });
  if (!done) give(`installing failed, see ${logPath(log)}`);
}

async function installTool(tool, missing) {
  if (hasTool(tool)) return;
  const { crate, version, features, why, usually } = tool;
  const args = [
    "install",
    "--root",
    at(".tools"),
    "--locked",
    "--version",
    version,
    ...features,
    crate,
  ];
  // Tools that run for seconds need no optimizer that works for minutes.
  const env = {
    CARGO_PROFILE_RELEASE_OPT_LEVEL: "1",
    CARGO_PROFILE_RELEASE_LTO: "off",
    CARGO_TARGET_DIR: undefined,
  };
  const log = `${crate}.log`;
  const done = await progress(
    `${crate} ${version}: ${why}`,
    usually,
    log,
    async (options) => (await run("cargo", args, { ...options, env })).code === 0 && hasTool(tool),
  );
  if (!done) {
    const command = `cargo install --root .tools --locked --version ${version} ${crate}`;
    missing.push({ what: `${crate} ${version}: building failed, see ${logPath(log)}`, command });
  }
}

/** Whether the first of the tool's programs on our PATH has the version, and the others lie beside it. */
function hasTool({ programs, version }) {
  const path = which(programs[0]);
  if (path === undefined) return false;
  const words = answer(path, ["--version"])?.split(/\s+/) ?? [];
  return words.includes(version) && programs.every((name) => existsSync(join(dirname(path), name)));
}

/** Says what is being done, why and how long it takes, then that it goes on, and then how it ended. */
async function progress(what, usually, log, work) {
  say(`${what} (usually ${usually})`);
  const started = performance.now();
  const elapsed = () => time((performance.now() - started) / 1000);
  let last = "";
  newLog(log);
  const timer = setInterval(() => say(`  … ${elapsed()}: ${last}`), 15_000);
  const onLine = (line) => {
    if (line.trim() !== "") last = line.trim().slice(0, 80);
  };
  try {
    const done = await work({ log, onLine });
    say(
      done
        ? `  done in ${elapsed()}: ${what.split(":")[0]}`
        : `  FAILED: ${what.split(":")[0]}\n${tail(log, 15)}`,
    );
    return done;
  } finally {
    clearInterval(timer);
  }
}

const say = (text) => console.log(`set-up: ${text}`);
const time = (seconds) =>
  seconds < 90
    ? `${Math.round(seconds)} s`
    : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;

if (isMain(import.meta.url)) {
  await script(async () => {
    const mode = process.argv[2];
    if (mode !== "start" && mode !== "test") {
      throw new Failure("usage: node scripts/setup.mjs start|test");
    }
    await setup(mode);
    say(`everything that "npm ${mode}" needs is there`);
  });
}
