// Browsers as the host: the arena is a page with the cluster's workers.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { at } from "../../scripts/lib/run.mjs";
import { chromiumPath } from "../browser/chromium.mjs";
import { firefox, webkit } from "../browser/webdriver.mjs";
import { serve } from "../package/help.mjs";

/** The page and what it imports, as plain files. */
export async function serveArena(page = "page/index.html") {
  const site = mkdtempSync(join(tmpdir(), "quorate-nemesis-"));
  cpSync(fileURLToPath(new URL(".", import.meta.url)), site, { recursive: true });
  cpSync(at("pkg", "dist"), join(site, "quorate"), { recursive: true });
  // Only an isolated page has the shared memory on which a thread can wait without work.
  const server = await serve(site, {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  });
  const close = async () => {
    await server.close();
    rmSync(site, { recursive: true, force: true });
  };
  return { url: `${server.url}${page}`, close };
}

/** Chromium, which freezes a page with its workers as it does for tabs in the background. */
export async function chromiumArena() {
  mkdirSync(at("target"), { recursive: true });
  const profile = mkdtempSync(join(at("target"), "nemesis-"));
  const site = await serveArena();
  // Not launched by playwright: pages that it opens are kept in the foreground, where nothing freezes.
  const child = spawn(
    chromiumPath,
    [
      "--headless",
      "--no-sandbox",
      "--no-first-run",
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      "about:blank",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const ended = once(child, "exit");
  const close = async () => {
    child.kill();
    await ended;
    await site.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  };
  try {
    const browser = await chromium.connectOverCDP(await devTools(child), { noDefaults: true });
    const context = browser.contexts()[0];
    const other = context.pages()[0] ?? (await context.newPage());
    const page = await context.newPage();
    await page.goto(site.url);
    await page.waitForFunction(() => globalThis.arena !== undefined);
    const session = await context.newCDPSession(page);
    const ask = (method, argument) =>
      page.evaluate(([method, argument]) => globalThis.arena[method](argument), [method, argument]);
    return {
      canSuspend: true,
      start: (options) => ask("start", options),
      poll: () => ask("poll"),
      take: (part) => ask("take", part),
      suspend: async (ms) => {
        await other.bringToFront();
        await session.send("Page.setWebLifecycleState", { state: "frozen" });
        await sleep(ms);
        await session.send("Page.setWebLifecycleState", { state: "active" });
        // Timers of hidden pages come once a second, and load is what we want.
        await page.bringToFront();
      },
      close: async () => {
        await browser.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Where a Chromium that was just started can be spoken to. */
function devTools(child) {
  return new Promise((resolve, reject) => {
    let said = "";
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`Chromium ended: ${said}`)));
    child.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
      const [, url] = /DevTools listening on (\S+)/.exec(said) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
}

/** Firefox. Its workers can be frozen one by one; the page as a whole cannot. */
export const firefoxArena = () => drivenArena(firefox);

/** WebKit, likewise. It never deletes a database whose worker was terminated while it committed: it is emptied. */
export const webkitArena = () => drivenArena(webkit, "?empty");

async function drivenArena(launch, query = "") {
  const site = await serveArena();
  let browser;
  const close = async () => {
    await browser?.close();
    await site.close();
  };
  try {
    browser = await launch();
    await browser.open(site.url + query);
    await browser.until("return globalThis.arena !== undefined;");
  } catch (error) {
    await close();
    throw error;
  }
  const ask = (method, argument) =>
    browser.run("return globalThis.arena[arguments[0]](arguments[1]);", method, argument);
  return {
    canSuspend: false,
    start: (options) => ask("start", options),
    poll: () => ask("poll"),
    take: (part) => ask("take", part),
    close,
  };
}
