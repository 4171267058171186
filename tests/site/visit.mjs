// A visit to one of the pages of the site beside the live one, in Chromium; and what is demanded of every page.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { launchChromium } from "../browser/chromium.mjs";

import { contextOf, servePage } from "../browser/help.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The site and a browser, for the tests of one file. */
export function openPages() {
  let site;
  let browser;
  before(async () => {
    site = await servePage();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await site?.close();
  });
  const url = (page) => new URL(page, site.url).href;

  /**
   * Goes to a page. What the console says is an error, unless it `complains` with reason. What is waited for comes within
   * `patience` milliseconds.
   */
  async function visit(
    t,
    page,
    { complains = false, patience = 30_000, prepare = async () => {}, ...options } = {},
  ) {
    const context = await contextOf(browser, options);
    await prepare(context);
    const tab = await context.newPage();
    tab.setDefaultTimeout(patience);
    const complaints = [];
    tab.on("console", (message) => complaints.push(message.text()));
    tab.on("pageerror", (error) => complaints.push(String(error)));
    t.after(async () => {
      await context.close();
      if (!complains) assert.deepEqual(complaints, []);
    });
    await tab.goto(url(page));
    return tab;
  }

  /** Tests of a page in light and dark, narrow and wide: nothing to complain about once it is `ready`. */
  function accessible(page, ready, options) {
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [320, 1280]) {
        test(`nothing to complain about for axe: ${page}, ${colorScheme}, ${width} pixels wide`, async (t) => {
          const viewport = { width, height: 800 };
          const tab = await visit(t, page, { ...options, colorScheme, viewport, bypassCSP: true });
          await ready(tab);
          await tab.addScriptTag({ path: axe });
          const { violations } = await tab.evaluate(() => globalThis.axe.run());
          assert.deepEqual(
            violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`),
            [],
          );
          const room = await tab.evaluate(() => document.documentElement.scrollWidth);
          assert.equal(room, width, "nothing is wider than the screen");
        });
      }
    }
  }

  return { url, visit, accessible };
}
