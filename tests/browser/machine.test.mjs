// A state machine of one's own in a page, under a strict Content-Security-Policy: the same in Chromium, in Firefox and in WebKit.

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
const policy = {
  "content-security-policy":
    "default-src 'self'; img-src data:; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'",
};

/** The page with the package and the machine beside it. */
async function site(t) {
  const folder = mkdtempSync(join(tmpdir(), "quorate-machine-"));
  cpSync(here("./machine"), folder, { recursive: true });
  cpSync(here("../machine/machines/bank.mjs"), join(folder, "bank.mjs"));
  cpSync(here("../../pkg/dist"), join(folder, "quorate"), { recursive: true });
  const server = await serve(folder, policy);
  t.after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return server.url;
}

function check({ told, error }) {
  assert.equal(error, undefined);
  assert.deepEqual(told, {
    poor: "MACHINE_THREW",
    own: 60,
    total: 60,
    origin: "restored",
    absent: "MACHINE_LOAD",
    mismatch: "MACHINE_MISMATCH",
  });
}

test("a bank keeps its sum in Chromium while the leader is killed, and after a reopening", async (t) => {
  const browser = await launchChromium();
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(await site(t));
  const outcome = await page.waitForFunction(() => globalThis.outcome, null, { timeout: 60_000 });
  check(await outcome.jsonValue());
});

for (const [name, launch] of Object.entries({ Firefox: firefox, WebKit: webkit })) {
  test(`a bank keeps its sum in ${name} while the leader is killed, and after a reopening`, async (t) => {
    const { open, until, close } = await launch();
    t.after(close);
    await open(await site(t));
    check(await until("return globalThis.outcome;"));
  });
}
