// What the core's work costs, without a clock.

import { answer, at, Failure, must, run } from "../../scripts/lib/run.mjs";

/** Builds our driver of Raft alone; its path. */
export async function buildWork(log) {
  await must("cargo", ["build", "-p", "quorate-work", "--release"], { log });
  return at("target", "release", "quorate-work");
}

/** Builds our driver of a store and its client; its path. */
export async function buildStore(log) {
  await must("cargo", ["build", "-p", "quorate-bench", "--release"], { log });
  return at("target", "release", "core");
}

/** The work as a driver takes it: with messages encoded. */
export const words = ({ nodes, window, size }, entries) =>
  [nodes, entries, window, size, 1].map(String);

/** What a driver says of the work: messages and bytes per entry, and more. */
export function figures(driver, work, entries = 20_000, more = []) {
  const line = answer(driver, [...words(work, entries), ...more]);
  if (line === undefined) throw new Failure(`${driver} failed`);
  return JSON.parse(line);
}

/** A thousand elections by timeouts alone: ticks on average, of which the least timeout is ten; messages by median, and at most. */
export const elections = (driver, nodes) => JSON.parse(answer(driver, [nodes, 1000].map(String)));

/** Instructions per entry, by callgrind: of two runs the difference, so that the start cancels out. */
export async function instructions(driver, work, [few, many] = [2_000, 12_000], more = []) {
  const counted = (entries) => callgrind(driver, [...words(work, entries), ...more]);
  return ((await counted(many)) - (await counted(few))) / (many - few);
}

/** Instructions of one run. */
export async function callgrind(program, args) {
  let counted;
  const valgrind = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
  const onLine = (line) => {
    counted ??= /Collected : (\d+)/.exec(line)?.[1];
  };
  await run("valgrind", [...valgrind, program, ...args], { log: "callgrind.log", onLine });
  if (counted === undefined) throw new Failure(`callgrind counted nothing of ${program}`);
  return Number(counted);
}
