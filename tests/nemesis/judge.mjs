// The judge of a history: the simulator's own search for an order that explains it.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { environment, root } from "../../scripts/lib/run.mjs";

const program = ["run", "--quiet", "--release", "-p", "quorate-sim", "--bin", "sim", "--", "check"];

/** Whether the history in this file is linearizable, and what is told of it. */
export async function judge(file) {
  try {
    const { stdout } = await promisify(execFile)("cargo", [...program, file], {
      cwd: root,
      env: environment(),
    });
    return { linearizable: true, told: stdout.trim() };
  } catch (error) {
    if (error.code !== notLinearizable) throw new Error(`${error.message}\n${error.stderr}`);
    return { linearizable: false, told: `${error.stdout}${error.stderr}`.trim() };
  }
}

/** How the simulator ends when a safety property broke. */
const notLinearizable = 11;
