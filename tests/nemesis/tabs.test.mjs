// A cluster whose nodes are tabs, under faults, in real browsers: what its clients were told is linearizable.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chromiumTabs, drivenTabs } from "../browser/tabs.mjs";
import { firefox, webkit } from "../browser/webdriver.mjs";
import { serveTabs, tormentTabs } from "./tabs.mjs";

/** Always the same choices; when they fall differs from run to run. */
const seed = Number(process.env.SEED ?? 7);
const seconds = Number(process.env.SECONDS ?? 25);

const browsers = {
  Chromium: chromiumTabs,
  Firefox: (t, url) => drivenTabs(t, firefox, url),
  WebKit: (t, url) => drivenTabs(t, webkit, url),
};

for (const [name, launch] of Object.entries(browsers)) {
  test(`tabs in ${name} survive the nemesis`, async (t) => {
    const browser = await launch(t, await serveTabs(t));
    const { problems, calls, known, faults } = await tormentTabs(browser, name, { seed, seconds });
    t.diagnostic(JSON.stringify({ calls, known, ...faults }));
    assert.deepEqual(problems, []);
    assert.ok(known > 50, "calls were answered");
    assert.ok(faults.open + faults.close + faults.reload + faults.kill >= 2, "tabs came and went");
  });
}
