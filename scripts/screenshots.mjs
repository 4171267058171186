// npm run screenshots: the pictures of the page in docs, light and dark, wide and narrow, each at a telling moment.

import { writeFileSync } from "node:fs";

import { build } from "./build.mjs";
import { buildSim } from "./build-sim.mjs";
import { at, script } from "./lib/run.mjs";
import { setup } from "./setup.mjs";

const folder = at("docs");
const SIZES = { wide: { width: 1280, height: 900 }, narrow: { width: 390, height: 844 } };

/** The views: which page, and what is done there until there is something to see. */
const VIEWS = {
  live: {
    page: "index.html",
    async prepare(page) {
      await page.locator("#summary", { hasText: /leads in term/ }).waitFor();
      for (const value of ["hello", "consensus"]) {
        await page.getByLabel("Value", { exact: true }).fill(value);
        await page.getByRole("button", { name: "Put", exact: true }).click();
        await page.locator("#answer[data-kind=done]").waitFor();
      }
      await page
        .getByRole("button", { name: /^Kill node/ })
        .last()
        .click();
      await page.locator(".badge:visible", { hasText: "Killed" }).waitFor();
      await page.waitForTimeout(1_000);
    },
  },
  simulator: {
    page: "simulator.html#v=1&seed=11&think=80&at=420&acts=260:crash:.2",
    async prepare(page) {
      await page.locator('#stage .node[data-state="down"]').waitFor();
      await page.locator("#events li").nth(5).waitFor();
      await page.locator('#events li[data-when="now"] button').first().click();
      await page.waitForTimeout(600);
    },
  },
  lessons: {
    page: "lessons.html#splitVote",
    async prepare(page) {
      for (const text of [/^Four nodes/, /^Both stand/, /^One of the others/]) {
        await page.locator(".says", { hasText: text }).waitFor();
        if (!text.source.startsWith("^One")) await page.keyboard.press("n");
      }
      await page.waitForTimeout(300);
    },
  },
  hunt: {
    page: "hunt.html",
    async prepare(page) {
      await page.selectOption("#bug", "vote-without-log-check");
      await page.fill("#seed", "1");
      await page.click("#start");
      await page.locator("#finds li").nth(3).waitFor();
      await page.click("#stop");
      await page.locator('#state[data-state="ended"]').waitFor();
    },
  },
};

await script(async () => {
  await setup("start");
  await build();
  await buildSim();
  const [{ build: bundle, preview }, { launchChromium }] = await Promise.all([
    import("vite"),
    import("../tests/browser/chromium.mjs"),
  ]);
  await bundle({ root: at("www"), logLevel: "error" });
  const server = await preview({ root: at("www"), logLevel: "error", preview: { open: false } });
  const browser = await launchChromium();
  try {
    for (const [name, { page: path, prepare }] of Object.entries(VIEWS)) {
      for (const [size, viewport] of Object.entries(SIZES)) {
        for (const colorScheme of ["light", "dark"]) {
          const context = await browser.newContext({
            viewport,
            colorScheme,
            serviceWorkers: "block",
          });
          const page = await context.newPage();
          await page.goto(new URL(path, server.resolvedUrls.local[0]).href);
          await prepare(page);
          await page.evaluate(() => scrollTo(0, 0));
          writeFileSync(
            `${folder}/page-${name}-${size}-${colorScheme}.png`,
            await page.screenshot(),
          );
          await context.close();
        }
      }
    }
  } finally {
    await browser.close();
    await server.close();
  }
});
