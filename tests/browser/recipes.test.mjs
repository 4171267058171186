// Recipes in a page, with workers and IndexedDB: the same in Chromium, in Firefox and in WebKit.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { serve } from "../package/help.mjs";
import { launchChromium } from "./chromium.mjs";
import { firefox, webkit } from "./webdriver.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The page with the package beside it. */
async function site(t) {
  const folder = mkdtempSync(join(tmpdir(), "quorate-recipes-"));
  cpSync(here("./recipes"), folder, { recursive: true });
  cpSync(here("../../pkg/dist"), join(folder, "quorate"), { recursive: true });
  const server = await serve(folder);
  t.after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return server.url;
}

function check({ told, error }) {
  assert.equal(error, undefined);
  assert.ok(told.permits <= 2, `${told.permits} permits at a time`);
  assert.deepEqual(told, {
    rounds: 18,
    locked: 1,
    permits: told.permits,
    taken: [3, 2, 1, "nothing"],
    counter: 6,
    runs: 2,
    left: 0,
  });
}

test("every recipe works in Chromium while the leader is killed", async (t) => {
  const browser = await launchChromium();
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(await site(t));
  const outcome = await page.waitForFunction(() => globalThis.outcome, null, { timeout: 60_000 });
  check(await outcome.jsonValue());
});

for (const [name, launch] of Object.entries({ Firefox: firefox, WebKit: webkit })) {
  test(`every recipe works in ${name} while the leader is killed`, async (t) => {
    const { open, until, close } = await launch();
    t.after(close);
    await open(await site(t));
    check(await until("return globalThis.outcome;"));
  });
}
