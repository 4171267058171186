// Node as the host: the arena is a child process with the cluster's threads, which SIGSTOP stops as a whole.

import { fork } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { at } from "../../scripts/lib/run.mjs";

/** An arena in a process of its own, with its state on the disk of the checkout. */
export async function nodeArena() {
  mkdirSync(at("target"), { recursive: true });
  const directory = mkdtempSync(join(at("target"), "nemesis-"));
  const program = fileURLToPath(new URL("node/process.mjs", import.meta.url));
  const child = fork(program, [join(directory, "cluster")], { serialization: "advanced" });
  const waiting = new Map();
  let next = 0;
  child.on("message", ({ ask, value }) => {
    waiting.get(ask)?.resolve(value);
    waiting.delete(ask);
  });
  const ended = new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      for (const { reject } of waiting.values())
        reject(new Error(`the process of the cluster ended with ${signal ?? `code ${code}`}`));
      resolve();
    });
  });
  const ask = (method, argument) =>
    new Promise((resolve, reject) => {
      waiting.set(next, { resolve, reject });
      child.send({ ask: next++, method, argument }, (error) => error && reject(error));
    });
  return {
    canSuspend: process.platform !== "win32",
    start: (options) => ask("start", options),
    poll: () => ask("poll"),
    take: (part) => ask("take", part),
    suspend: async (ms) => {
      child.kill("SIGSTOP");
      await sleep(ms);
      child.kill("SIGCONT");
    },
    close: async () => {
      child.kill("SIGKILL");
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
