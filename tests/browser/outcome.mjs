// A page of a folder beside this file, with the package: what it leaves in `globalThis.outcome`, in each engine.

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "../package/help.mjs";
import { launchChromium } from "./chromium.mjs";
import { firefox, webkit } from "./webdriver.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Serves a folder with the package in it, and `more` files of the tests, until the test ends. */
export async function serveFolder(t, folder, { policy, more = [] } = {}) {
  const site = mkdtempSync(join(tmpdir(), `quorate-${folder}-`));
  cpSync(here(folder), site, { recursive: true });
  cpSync(here("../../pkg/dist"), join(site, "quorate"), { recursive: true });
  for (const path of more) cpSync(here(`../${path}`), join(site, path.split("/").at(-1)));
  const server = await serve(site, policy && { "content-security-policy": policy });
  t.after(async () => {
    await server.close();
    rmSync(site, { recursive: true, force: true });
  });
  return server.url;
}

async function inChromium(t, url) {
  const browser = await launchChromium();
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(url);
  const outcome = await page.waitForFunction(() => globalThis.outcome, null, { timeout: 60_000 });
  return outcome.jsonValue();
}

const driven = (launch) => async (t, url) => {
  const { open, until, close } = await launch();
  t.after(close);
  await open(url);
  return until("return globalThis.outcome;");
};

/** What the page at `url` left, by the engine. */
export const outcomeIn = {
  Chromium: inChromium,
  Firefox: driven(firefox),
  WebKit: driven(webkit),
};
