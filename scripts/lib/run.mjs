// Running other programs: where they are found, how their output is kept, how their failure is told.

import { spawn, spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  createWriteStream,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { basename, delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const at = (...parts) => join(root, ...parts);
export const logs = at("target", "log");

/** The environment of every program we start: our own tools come first on PATH. */
export function environment(extra = {}) {
  const path = [at(".tools", "bin"), at("node_modules", ".bin"), process.env.PATH].join(delimiter);
  return { ...process.env, CARGO_TARGET_DIR: at("target"), ...extra, PATH: path };
}

/** For output that goes to a file. */
const plain = { NO_COLOR: "1", CARGO_TERM_COLOR: "never", FORCE_COLOR: undefined };

/** The full path of a program, or undefined. */
export function which(name) {
  for (const folder of environment().PATH.split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** What a short command prints, trimmed; undefined when it is missing or fails. */
export function answer(command, args) {
  const result = spawnSync(command, args, { cwd: root, env: environment(), encoding: "utf8" });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

/** A failure that is told to the user as a sentence, without a stack. */
export class Failure extends Error {}

/** Ends every child that is alive, so that an interrupted script leaves nothing behind. */
const children = new Set();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => {
    for (const end of children) end();
    process.exit(130);
  });
}

/**
 * Runs a command to its end and returns its exit code and the seconds it took. With `log` its output goes to that file
 * under target/log (and to `onLine`, line by line); without, to the terminal. When the signal `limit` comes, the command and
 * all that it started are killed.
 */
export function run(command, args, { env = {}, cwd = root, log, onLine, limit } = {}) {
  const started = performance.now();
  const stdio = log === undefined ? "inherit" : ["ignore", "pipe", "pipe"];
  // A process group of its own can be killed as a whole; what reads the terminal must stay in ours.
  const detached = log !== undefined;
  const variables = environment(detached ? { ...plain, ...env } : env);
  const child = spawn(command, args, { cwd, env: variables, stdio, detached });
  const end = () => {
    try {
      process.kill(detached ? -child.pid : child.pid, detached ? "SIGKILL" : "SIGTERM");
    } catch {
      // It has ended already.
    }
  };
  const file = log === undefined ? undefined : keep(child, log, onLine);
  children.add(end);
  limit?.addEventListener("abort", end);
  return new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new Failure(`cannot run ${command}: ${error.message}`)));
    child.on("close", (code, signal) => {
      const result = { code: code ?? 1, signal, seconds: (performance.now() - started) / 1000 };
      if (file === undefined) resolve(result);
      else file.end(() => resolve(result));
    });
  }).finally(() => {
    children.delete(end);
    limit?.removeEventListener("abort", end);
  });
}

/** Appends a child's output to a log, and its lines to `onLine`. */
function keep(child, log, onLine) {
  const file = createWriteStream(join(logs, log), { flags: "a" });
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream.setEncoding("utf8").on("data", (text) => {
      file.write(text);
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      for (const line of lines) onLine?.(line);
    });
  }
  return file;
}

/** Runs a command that must succeed. */
export async function must(command, args, options) {
  const { code, signal } = await run(command, args, options);
  if (code !== 0) {
    throw new Failure(`${basename(command)} ${args[0]} ended with ${signal ?? `code ${code}`}`);
  }
}

/** Begins a log. */
export function newLog(log) {
  mkdirSync(logs, { recursive: true });
  writeFileSync(join(logs, log), "");
}

/** The last lines of a log. */
export function tail(log, lines) {
  const text = readFileSync(join(logs, log), "utf8").trimEnd().split("\n");
  return text.slice(-lines).join("\n");
}

/** A log's path as the user would type it. */
export const logPath = (log) => relative(process.cwd(), join(logs, log)) || ".";

/** Runs `main`, and turns a `Failure` into its sentence and exit code 1. */
export async function script(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`\n${error.message}`);
    process.exitCode = 1;
  }
}

/** Whether the file is the program that Node was started with, rather than an imported module. */
export const isMain = (url) => process.argv[1] === fileURLToPath(url);
