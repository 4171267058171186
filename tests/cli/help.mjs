// What the tests of the command line share: to run it, and to read what it says.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const cli = fileURLToPath(new URL("../../pkg/dist/cli.js", import.meta.url));

/** A directory of this test's own. */
export function scratch(t) {
  const path = mkdtempSync(join(tmpdir(), "quorate-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Starts the command line. */
export function start(words, { cwd, env, flags = [] } = {}) {
  const child = spawn(process.execPath, [...flags, cli, ...words], {
    ...{ cwd, timeout: 60_000, killSignal: "SIGKILL" },
    env: { ...process.env, QUORATE_DIR: undefined, ...env },
  });
  const out = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"])
    child[name].setEncoding("utf8").on("data", (text) => {
      out[name] += text;
    });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal, ...out }));
  return { child, out, ended };
}

/** Runs it to its end. */
export async function run(words, { input = "", ...how } = {}) {
  const { child, ended } = start(words, how);
  child.stdin.end(input);
  const { signal, ...result } = await ended;
  if (signal !== null) throw new Error(`it did not end by itself: ${JSON.stringify(result)}`);
  return result;
}

/** In a directory: what it says, exit code first. */
export function shell(cwd, env) {
  return async (line, input) => {
    const { code, stdout, stderr } = await run(words(line), { cwd, env, input });
    return { code, stdout, stderr, objects: objects(stdout), errors: objects(stderr) };
  };
}

/** Words of a line, where '…' holds several together. */
function words(line) {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain);
}

/** The lines that are objects. */
function objects(text) {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

/** Resolves when a child has said something. */
export async function said({ child, out }, pattern) {
  while (!pattern.test(out.stdout + out.stderr)) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`it ended: ${out.stdout}${out.stderr}`);
    await Promise.race([
      once(child.stdout, "data"),
      once(child.stderr, "data"),
      once(child, "close"),
    ]);
  }
}
