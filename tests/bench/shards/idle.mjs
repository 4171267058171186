// What groups cost that have nothing to do, and what it takes to start with so many.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { at } from "../../../scripts/lib/run.mjs";
import { inDirectory } from "../growth/observed.mjs";

/** One row for each number of groups, each in a process of its own. What cannot be measured has its reason in `missing`. */
export function measureIdle(numbers, ms, missing) {
  const program = at("tests", "bench", "shards", "process.mjs");
  return inDirectory(async (directory) => {
    const rows = [];
    for (const groups of numbers) {
      const args = [program, join(directory, `${groups}`), `${groups}`, `${ms}`];
      try {
        const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 120_000 });
        rows.push(JSON.parse(stdout));
      } catch (error) {
        missing.push(`${groups} idle groups: ${error.message.trim().split("\n").at(-1)}`);
      }
    }
    return rows;
  });
}
