// What the tests of the page share: the page, built and served; a browser; and the visitor's moves.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { serve } from "../package/help.mjs";
import { launchChromium } from "./chromium.mjs";

const root = fileURLToPath(new URL("../../www", import.meta.url));

/** The page as it is published: built, and served as plain files somewhere below the root of a site. */
export async function servePage() {
  const folder = mkdtempSync(join(tmpdir(), "quorate-page-"));
  const outDir = join(folder, "some", "where");
  await build({ root, logLevel: "error", build: { outDir, emptyOutDir: true } });
  const site = await serve(folder);
  const close = async () => {
    await site.close();
    rmSync(folder, { recursive: true });
  };
  return { url: `${site.url}some/where/index.html`, close };
}

/** The page and a browser, for the tests of one file. Answers with what brings them a visitor, for as long as a test runs. */
export function openSite() {
  let site;
  let browser;
  before(async () => {
    site = await servePage();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.close();
  });
  return async (t, options) => {
    const visitor = await Visitor.arrive(browser, site.url, options);
    t.after(() => visitor.leave());
    return visitor;
  };
}

function launch() {
  return launchChromium();
}

/** A context whose pages find no service worker: what is kept of the site for later is not what these tests are about. */
export async function contextOf(browser, options) {
  const context = await browser.newContext(options);
  await context.addInitScript(() => {
    delete Navigator.prototype.serviceWorker;
  });
  return context;
}

/** A visitor with an empty browser profile, who reads the console too. */
export class Visitor {
  /** Warnings and errors that the browser told of, and files that did not come. */
  complaints = [];

  /** Goes to the page. `prepare` gets the browser's context before. */
  static async arrive(browser, url, { prepare = async () => {}, ...options } = {}) {
    const visitor = new Visitor();
    visitor.url = url;
    visitor.context = await contextOf(browser, {
      viewport: { width: 1180, height: 900 },
      ...options,
    });
    await prepare(visitor.context);
    visitor.page = await visitor.openTab();
    return visitor;
  }

  async openTab() {
    const page = await this.context.newPage();
    page.setDefaultTimeout(20_000);
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning")
        this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("response", (response) => {
      if (response.status() >= 400) this.complaints.push(`${response.status()} ${response.url()}`);
    });
    await page.goto(this.url);
    return page;
  }

  leave() {
    return this.context.close();
  }

  /** The leader's id, once the page names one other than `former`. */
  async leader(former = 0) {
    const handle = await this.page.waitForFunction((former) => {
      const [, id] = /^Node (\d) leads/.exec(document.querySelector("#summary").textContent) ?? [];
      return Number(id) !== former && Number(id);
    }, former);
    return handle.jsonValue();
  }

  /** Waits until the line above all says this. */
  summary(text) {
    return this.page.locator("#summary", { hasText: text }).waitFor();
  }

  card(id) {
    return this.page.locator(".card", { has: this.page.locator(`#node-${id}`) });
  }

  button(name) {
    return this.page.getByRole("button", { name, exact: true });
  }

  /** Waits until the card of a node bears this badge. */
  badge(id, name) {
    return this.card(id).locator(".badge:visible", { hasText: name }).waitFor();
  }

  async kill(id) {
    await this.button(`Kill node ${id}`).click();
    await this.badge(id, "Killed");
  }

  async cutOff(id) {
    await this.button(`Cut off node ${id} from the others`).click();
    await this.badge(id, "Cut off");
  }

  /** Deletes the databases of these nodes, as a browser that lacks room may. */
  evict(...ids) {
    return this.page.evaluate(async (ids) => {
      for (const { name } of await indexedDB.databases()) {
        if (!ids.some((id) => name.endsWith(String(id)))) continue;
        await new Promise((resolve, reject) => {
          const request = indexedDB.deleteDatabase(name);
          request.onsuccess = resolve;
          request.onerror = () => reject(request.error);
        });
      }
    }, ids);
  }

  /** Leaves for an empty page of the same site, and comes back after `doing` something there. */
  async away(doing) {
    const elsewhere = new URL("elsewhere", this.url).href;
    await this.context.route(elsewhere, (route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html><title>Elsewhere</title>" }),
    );
    await this.page.goto(elsewhere);
    await doing();
    await this.page.goto(this.url);
  }

  /** A fact of a node's card. */
  async fact(id, name) {
    const facts = this.card(id).locator("dl > div", {
      has: this.page.locator("dt", { hasText: name }),
    });
    return facts.locator("dd").textContent();
  }

  /** Waits until all cards tell the same of this fact, and something else than `before`. */
  alike(name, before = "–") {
    return this.page.waitForFunction(
      ([name, before]) => {
        const terms = [...document.querySelectorAll("dt")].filter((dt) => dt.textContent === name);
        const facts = new Set(terms.map((dt) => dt.nextElementSibling.textContent));
        return facts.size === 1 && !facts.has(before);
      },
      [name, before],
    );
  }

  /** How many entries of each kind the strip of a node shows. */
  async strip(id) {
    const kinds = await this.page
      .locator(`.row[data-node="${id}"] [data-cell]`)
      .evaluateAll((cells) => cells.map((cell) => cell.dataset.cell));
    return Object.fromEntries(
      [...new Set(kinds)].map((kind) => [kind, kinds.filter((other) => other === kind).length]),
    );
  }

  /** Puts, gets or deletes; what the page answers. */
  async call(what, key, value = "") {
    const number = await this.begin(what, key, value);
    await this.page.waitForFunction((number) => {
      const { call, kind } = document.querySelector("#answer").dataset;
      return Number(call) >= number && kind !== "waiting";
    }, number);
    return this.page.locator("#answer").textContent();
  }

  /** Begins a call; its number. */
  async begin(what, key, value = "") {
    await this.page.getByLabel("Key", { exact: true }).fill(key);
    await this.page.getByLabel("Value", { exact: true }).fill(value);
    const before = Number(await this.page.locator("#answer").getAttribute("data-call"));
    await this.button(what).click();
    return before + 1;
  }

  /** The store as the table lists it. */
  async table() {
    const rows = await this.page.locator("#entries tr").allInnerTexts();
    return Object.fromEntries(rows.map((row) => row.split("\t").slice(0, 2)));
  }

  /** Waits until the table lists this value. */
  listed(key, value) {
    return this.page.waitForFunction(
      ([key, value]) =>
        [...document.querySelectorAll("#entries tr")].some(
          (row) => row.cells[0].textContent === key && row.cells[1].textContent === value,
        ),
      [key, value],
    );
  }

  /** Waits until the list of events tells this. */
  told(text) {
    return this.page.locator("#events li", { hasText: text }).first().waitFor();
  }
}

/** Runs `code` first in every worker of the page. */
export async function inWorkers(context, code) {
  await context.route(/\/worker-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${code}\n${await response.text()}` });
  });
}
