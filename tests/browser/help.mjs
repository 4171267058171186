// What the tests of the page share: the page, built and served; a browser; and the visitor's moves.

import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { build, preview } from "vite";

const root = fileURLToPath(new URL("../../www", import.meta.url));

/** The page as `npm start` serves it, on a free port. */
export async function servePage() {
  await build({ root, logLevel: "error" });
  const server = await preview({
    root,
    logLevel: "error",
    preview: { host: "127.0.0.1", port: 0, open: false },
  });
  const [url] = server.resolvedUrls.local;
  return { url, close: () => server.close() };
}

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
}

/** A visitor with an empty browser profile, who reads the console too. */
export class Visitor {
  /** Warnings and errors that the browser told of. */
  complaints = [];

  static async arrive(browser, url, options = {}) {
    const visitor = new Visitor();
    visitor.context = await browser.newContext({
      viewport: { width: 1180, height: 900 },
      ...options,
    });
    visitor.page = await visitor.openTab(url);
    return visitor;
  }

  async openTab(url) {
    const page = await this.context.newPage();
    page.setDefaultTimeout(20_000);
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning")
        this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    await page.goto(url);
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

  card(id) {
    return this.page.locator(".card", { has: this.page.locator(`#node-${id}`) });
  }

  button(name) {
    return this.page.getByRole("button", { name, exact: true });
  }

  /** Waits until the card of a node tells this of it. */
  role(id, name) {
    return this.card(id).locator(".badge", { hasText: name }).waitFor();
  }

  /** How far a node knows the log to be committed. */
  async committed(id) {
    const fact = this.card(id).locator("div", {
      has: this.page.locator("dt", { hasText: "Committed" }),
    });
    return Number(await fact.locator("dd").last().textContent());
  }

  /** Puts, gets or deletes; what the page answers. */
  async call(what, key, value = "") {
    await this.page.getByLabel("Key", { exact: true }).fill(key);
    await this.page.getByLabel("Value", { exact: true }).fill(value);
    const before = await this.page.locator("#answer").textContent();
    await this.button(what).click();
    await this.page.waitForFunction((before) => {
      const answer = document.querySelector("#answer");
      return answer.dataset.kind !== "waiting" && answer.textContent !== before;
    }, before);
    return this.page.locator("#answer").textContent();
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
}
