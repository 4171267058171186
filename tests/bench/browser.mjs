// Headless browsers with the page of the benchmark, which measures.

import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { at, Failure, which } from "../../scripts/lib/run.mjs";
import { chromiumPath } from "../browser/chromium.mjs";
import { firefox } from "../browser/webdriver.mjs";
import { serve } from "../package/help.mjs";

const shared = ["load.mjs", "store.mjs", "life/steps.mjs"];
const LONGEST_MS = 300_000;

/** Gives `use` a Chromium: `load` opens the page anew, `call` calls a function of `page/main.js` in it. */
export function inChromium(use) {
  if (!existsSync(chromiumPath)) throw new Failure(`Chromium is not installed: ${chromiumPath}`);
  return withSite(async (url, profile) => {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: chromiumPath,
      args: ["--no-sandbox"],
    });
    let page;
    const load = async () => {
      await page?.close();
      page = await context.newPage();
      await page.goto(url);
      await page.waitForFunction(() => globalThis.bench !== undefined);
    };
    const call = (name, ...args) =>
      page.evaluate(([name, args]) => globalThis.bench.functions[name](...args), [name, args]);
    try {
      return await use({ load, call });
    } finally {
      await context.close();
    }
  });
}

/** As `inChromium`. */
export function inFirefox(use) {
  for (const program of ["firefox", "geckodriver"])
    if (which(program) === undefined) throw new Failure(`${program} is not installed`);
  return withSite(async (url, profile) => {
    const { open, run, until, close } = await firefox(profile);
    const load = async () => {
      await open(url);
      await until("return globalThis.bench !== undefined;");
    };
    const call = async (name, ...args) => {
      await run("globalThis.bench.begin(...arguments);", name, args);
      for (const end = Date.now() + LONGEST_MS; Date.now() < end; await sleep(200)) {
        const outcome = await run("return globalThis.bench.outcome;");
        if (outcome?.error) throw new Error(outcome.error);
        if (outcome) return outcome.value;
      }
      throw new Error(`the page is not done after ${LONGEST_MS / 1000} s`);
    };
    try {
      return await use({ load, call });
    } finally {
      await close();
    }
  });
}

/** One run of the limits and all cells. */
export const measurePage = (browser, ms, durability = "strict") =>
  browser(async ({ load, call }) => {
    await load();
    return call("measure", ms, durability);
  });

/** The page, served, and a folder for a profile. */
async function withSite(use) {
  const site = mkdtempSync(join(tmpdir(), "quorate-bench-"));
  // A profile on the disk of the checkout: what is strict shall be strict there.
  mkdirSync(at("target"), { recursive: true });
  const profile = mkdtempSync(join(at("target"), "bench-"));
  cpSync(at("pkg", "dist"), join(site, "quorate"), { recursive: true });
  const folder = at("tests", "bench");
  cpSync(join(folder, "page"), site, { recursive: true });
  for (const path of shared) cpSync(join(folder, path), join(site, path), { recursive: true });
  // An isolated page has a finer clock.
  const server = await serve(site, {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  });
  try {
    return await use(server.url, profile);
  } finally {
    await server.close();
    for (const path of [site, profile])
      rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
