// Processor time of the processes that this one has started, and they in turn, as Linux counts it.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Seconds, of user and system together, of all descendants that are alive. */
export function descendantsSeconds() {
  const processes = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? read(name) : []));
  const family = new Set([process.pid]);
  // A child can have a lower id than its parent: until no more are found.
  for (let before = 0; before < family.size; ) {
    before = family.size;
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid);
  }
  family.delete(process.pid);
  const ticks = processes.reduce((sum, one) => sum + (family.has(one.pid) ? one.ticks : 0), 0);
  return ticks / ticksPerSecond();
}

/** proc(5): after the name in parentheses come the state, the parent, and at the 14th and 15th place of all the times. */
function read(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return [{ pid: Number(pid), parent: Number(fields[1]), ticks: +fields[11] + +fields[12] }];
  } catch {
    return []; // It has ended.
  }
}

const ticksPerSecond = () =>
  Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }).trim());
