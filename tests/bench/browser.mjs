// Three workers in headless Chromium with IndexedDB, driven from here; the page measures.

import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { at } from "../../scripts/lib/run.mjs";
import { serve } from "../package/help.mjs";

/** One run: the limits, then all cells. */
export async function measureBrowser(ms) {
  const site = mkdtempSync(join(tmpdir(), "quorate-bench-"));
  // A profile on the disk of the checkout: what is strict shall be strict there.
  mkdirSync(at("target"), { recursive: true });
  const profile = mkdtempSync(join(at("target"), "bench-"));
  cpSync(at("pkg", "dist"), join(site, "quorate"), { recursive: true });
  cpSync(fileURLToPath(new URL("page", import.meta.url)), site, { recursive: true });
  for (const shared of ["load.mjs", "store.mjs"])
    cpSync(fileURLToPath(new URL(shared, import.meta.url)), join(site, shared));
  // An isolated page has a finer clock.
  const server = await serve(site, {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  });
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
  try {
    const page = await context.newPage();
    await page.goto(server.url);
    return await page.evaluate(async (ms) => {
      const { measure } = await import("./bench.js");
      return measure(ms);
    }, ms);
  } finally {
    await context.close();
    await server.close();
    for (const path of [site, profile]) rmSync(path, { recursive: true, force: true });
  }
}
