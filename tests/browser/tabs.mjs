// Tabs of a browser, for tests: opened, closed, killed, frozen. Chromium is not launched by playwright, which keeps its
// pages in the foreground, where nothing freezes.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { serve } from "../package/help.mjs";
import { chromiumPath } from "./chromium.mjs";
import { firefox } from "./webdriver.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The tabs' page with the package beside it. `sharedWorker` is more code for that. */
export async function serveTabs(t, { sharedWorker = "" } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "quorate-tabs-"));
  cpSync(here("./tabs"), folder, { recursive: true });
  cpSync(here("../machine/machines"), folder, { recursive: true });
  const shipped = join(folder, "quorate");
  cpSync(here("../../pkg/dist"), shipped, { recursive: true });
  appendFileSync(join(shipped, "worker.js"), sharedWorker);
  // Only an isolated page has the shared memory on which a worker can wait.
  const server = await serve(folder, {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  });
  t.after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return server.url;
}

/** Chromium with an empty profile. `browser.start()` begins it anew on the same profile, as after a crash. */
export async function chromiumTabs(t, at) {
  const profile = mkdtempSync(join(tmpdir(), "quorate-profile-"));
  const url = at ?? (await serveTabs(t));
  let child;
  let browser;
  const start = async () => {
    child = spawn(
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
    browser = await chromium.connectOverCDP(await devTools(child), { noDefaults: true });
  };
  /** Ends the browser where it stands. */
  const crash = async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    await browser.close().catch(() => {});
  };
  t.after(async () => {
    await crash().catch(() => {});
    // Its other processes see that it is gone, and until then write to the profile.
    await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });
  await start();
  return {
    start,
    crash,
    /** A tab at the page. */
    open: async (hash = "") => {
      const context = browser.contexts()[0];
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      await page.goto(url + hash);
      return new Tab(context, page);
    },
  };
}

/** A tab, in whose page `globalThis.tab` is. */
export class Tab {
  constructor(context, page) {
    this.context = context;
    this.page = page;
  }

  async ask(method, ...args) {
    await this.page.waitForFunction(() => globalThis.tab !== undefined);
    return this.page.evaluate(([method, args]) => globalThis.tab[method](...args), [method, args]);
  }

  close() {
    return this.page.close();
  }

  async reload() {
    await this.page.reload();
  }

  /** Ends the tab's process. */
  async kill() {
    const session = await this.context.newCDPSession(this.page);
    session.send("Page.crash").catch(() => {});
    await this.page.waitForEvent("crash");
  }

  async freeze() {
    const other = await this.context.newPage();
    await other.bringToFront();
    this.session ??= await this.context.newCDPSession(this.page);
    this.frozenAt = Date.now();
    await this.session.send("Page.setWebLifecycleState", { state: "frozen" });
    return other;
  }

  /** Goes to another address. The browser keeps the page for later, if nothing forbids. */
  async leave() {
    this.session ??= await this.context.newCDPSession(this.page);
    await this.#navigated("Page.navigate", { url: new URL("page.js", this.page.url()).href });
  }

  /** Goes back. */
  async comeBack() {
    const { currentIndex, entries } = await this.session.send("Page.getNavigationHistory");
    await this.#navigated("Page.navigateToHistoryEntry", { entryId: entries[currentIndex - 1].id });
  }

  async #navigated(how, where) {
    await this.session.send("Page.enable");
    const arrived = once(this.session, "Page.frameNavigated");
    await this.session.send(how, where);
    await arrived;
  }

  thaw() {
    return this.session.send("Page.setWebLifecycleState", { state: "active" });
  }
}

/** Firefox with an empty profile. */
export const firefoxTabs = (t, at) => drivenTabs(t, firefox, at);

/** A browser behind WebDriver, which speaks to one tab at a time. */
export async function drivenTabs(t, launch, at) {
  const url = at ?? (await serveTabs(t));
  const browser = await launch();
  t.after(() => browser.close());
  const first = await browser.here();
  return {
    open: async (hash = "") => {
      // From one that is never closed.
      await browser.switchTo(first);
      const handle = await browser.openTab();
      await browser.switchTo(handle);
      await browser.open(url + hash);
      return {
        ask: async (method, ...args) => {
          await browser.switchTo(handle);
          await browser.until("return globalThis.tab !== undefined;");
          const script = "return globalThis.tab[arguments[0]](...arguments[1]);";
          return browser.run(script, method, args);
        },
        reload: async () => {
          await browser.switchTo(handle);
          await browser.open(url);
        },
        close: async () => {
          await browser.switchTo(handle);
          await browser.closeTab();
        },
      };
    },
  };
}

/** Opens so many tabs with a node each, one after the other; all vote. */
export async function openTabs(browser, count, options) {
  const tabs = [];
  for (let id = 1; id <= count; id++) {
    const tab = await browser.open();
    const { value, code } = await tab.ask("open", options);
    assert.equal(code, undefined);
    assert.deepEqual(value, { id, origin: id === 1 ? "founded" : "joined" });
    tabs.push(tab);
  }
  const ids = tabs.map((_, at) => at + 1);
  for (const tab of tabs) await members(tab, ids);
  return tabs;
}

/** Waits until something holds that no event tells. */
export async function until(condition, what, timeout = 120_000) {
  for (
    const end = Date.now() + timeout;
    ;
    await new Promise((resolve) => setTimeout(resolve, 100))
  ) {
    const last = await condition();
    if (last === true) return;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}; ${JSON.stringify(last)}`);
  }
}

/** Waits until a tab's node has these voters and learners, and no change is under way. */
export function members(tab, voters, learners = []) {
  return until(async () => {
    const { value, code } = await tab.ask("status");
    if (code !== undefined) return code;
    const { members } = value;
    const is = `${members.voters}/${members.learners}/${members.outgoing}`;
    return is === `${voters}/${learners}/` || is;
  }, `voters ${voters}, learners ${learners}`);
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
