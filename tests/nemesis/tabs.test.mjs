// A cluster whose nodes are tabs, under faults, in real browsers: what its clients were told is linearizable.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { driveTabs, tabHosts } from "./tabs.mjs";

/** Always the same choices; when they fall differs from run to run. */
const [seed, seconds] = [7, 25];

for (const host of Object.keys(tabHosts)) {
  test(`tabs in ${host} survive the nemesis`, async (t) => {
    const { problems, calls, known, notApplied, faults } = await driveTabs({ host, seed, seconds });
    t.diagnostic(JSON.stringify({ calls, known, notApplied, ...faults }));
    assert.deepEqual(problems, []);
    assert.ok(known > 50, "calls were answered");
    assert.ok(faults.open + faults.close + faults.reload + faults.kill >= 2, "tabs came and went");
  });
}

test("what the command does not know of tabs is refused", () => {
  const main = fileURLToPath(new URL("./main.mjs", import.meta.url));
  for (const [words, told] of [
    [["--host", "node"], /there is no host node with tabs; there is chromium, firefox, webkit/],
    [["--nodes", "3"], /--nodes is for workers/],
    [["--faults", "evict"], /--faults is for workers/],
    [["--seconds", "0"], /--seconds is a number from 1/],
  ]) {
    const { status, stderr } = spawnSync(process.execPath, [main, "--tabs", ...words]);
    assert.equal(status, 2);
    assert.match(String(stderr), told);
  }
});
