// Simulated worlds in a page: to the bit what they are on Node, under a strict Content-Security-Policy.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { simulate } from "../../pkg/dist/testing.js";
import { serve } from "../package/help.mjs";
import Bank, { asked } from "../testing/machines/bank.mjs";
import { launchChromium } from "./chromium.mjs";
import { firefox } from "./webdriver.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const policy = {
  "content-security-policy":
    "default-src 'self'; img-src data:; script-src 'self' 'wasm-unsafe-eval'",
};

async function site(t) {
  const folder = mkdtempSync(join(tmpdir(), "quorate-simulate-"));
  cpSync(here("./simulate"), folder, { recursive: true });
  cpSync(here("../testing/machines/bank.mjs"), join(folder, "bank.mjs"));
  cpSync(here("../../pkg/dist"), join(folder, "quorate"), { recursive: true });
  const server = await serve(folder, policy);
  t.after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return server.url;
}

async function check({ told, error }) {
  assert.equal(error, undefined);
  const [bank, module, stamped] = told;
  const { hash, counts } = await simulate(Bank, { ...asked, seed: 12, seconds: 3 });
  for (const world of [bank, module])
    assert.deepEqual(world, { ok: true, hash, failure: "none", calls: counts.calls });
  assert.equal(stamped.failure, "diverged");
}

test("a seed is the same world in Chromium as on Node", async (t) => {
  const browser = await launchChromium();
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(await site(t));
  const outcome = await page.waitForFunction(() => globalThis.outcome, null, { timeout: 60_000 });
  await check(await outcome.jsonValue());
});

test("a seed is the same world in Firefox as on Node", async (t) => {
  const { open, until, close } = await firefox();
  t.after(close);
  await open(await site(t));
  await check(await until("return globalThis.outcome"));
});
