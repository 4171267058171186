// The site as a whole: what each page weighs, fetches and leaves behind; and that all of it works without a network, once it was visited.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { launchChromium } from "../browser/chromium.mjs";

import { servePage } from "../browser/help.mjs";

const PAGES = ["index", "simulator", "lessons", "hunt", "mapreduce", "seats", "frozen"];
/** Of a page without its WebAssembly, in gzipped bytes. */
const WEIGHT = 300_000;
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; " +
  "style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'";

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

const url = (page) => new URL(`${page}.html`, site.url).href;

for (const name of PAGES) {
  test(`${name}: light, from its own origin alone, without cookies`, async (t) => {
    const context = await browser.newContext({ serviceWorkers: "block" });
    t.after(() => context.close());
    const page = await context.newPage();
    const bodies = new Map();
    const pending = [];
    context.on("response", (response) => {
      const body = response.body().then((bytes) => bodies.set(response.url(), bytes));
      pending.push(body.catch(() => bodies.set(response.url(), Buffer.alloc(0))));
    });
    const origins = new Set();
    context.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== "blob:") origins.add(origin);
    });
    await page.goto(url(name));
    await page.waitForTimeout(2_500);
    await Promise.all(pending);
    assert.deepEqual([...origins], [new URL(site.url).origin]);
    assert.deepEqual(await context.cookies(), []);
    assert.equal(await page.evaluate(() => document.cookie), "");
    const texts = [...bodies].filter(([path]) => !path.endsWith(".wasm"));
    const weight = texts.reduce((sum, [, bytes]) => sum + gzipSync(bytes).length, 0);
    t.diagnostic(`${name}: ${(weight / 1_000).toFixed(1)} KB in ${texts.length} files`);
    assert.ok(texts.length >= 4);
    assert.ok(weight <= WEIGHT, `${weight} bytes`);
  });
}

test("all pages have the same strict policy", () => {
  for (const name of PAGES) {
    const path = fileURLToPath(new URL(`../../www/${name}.html`, import.meta.url));
    const [, policy] = /http-equiv="Content-Security-Policy"\s+content="([^"]+)"/.exec(
      readFileSync(path, "utf8"),
    );
    assert.equal(policy, POLICY, name);
  }
});

test("the theme that was chosen is there before anything is painted", async (t) => {
  const context = await browser.newContext({ colorScheme: "light", serviceWorkers: "block" });
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(url("hunt"));
  await page.selectOption("#theme", "dark");
  const color = () => page.evaluate(() => getComputedStyle(document.body).color);
  const dark = await color();
  // Modules run when all is there: without them it is as it is painted first.
  await page.route("**/assets/*.js", (route) => route.abort());
  for (const name of PAGES) {
    await page.goto(url(name), { waitUntil: "domcontentloaded" });
    assert.equal(await color(), dark, name);
  }
  await page.evaluate(() => localStorage.clear());
  await page.reload({ waitUntil: "domcontentloaded" });
  assert.notEqual(await color(), dark);
});

test("after one visit all of the site works without a network", async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(40_000);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(url("index"));
  // What is large comes a while after the page.
  const modules = () =>
    page.evaluate(async () => {
      const name = (await caches.keys()).find((key) => key.startsWith("quorate-"));
      const kept = name === undefined ? [] : await (await caches.open(name)).keys();
      return kept.filter(({ url }) => /sim_bg.*\.wasm$/.test(url)).length;
    });
  for (let look = 0; look < 100 && (await modules()) < 2; look++) await page.waitForTimeout(200);
  assert.equal(await modules(), 2);
  const { url: from, close } = site;
  await context.setOffline(true);
  await close();
  site = { url: from, close: async () => {} };
  await page.goto(url("simulator"));
  await page.locator("#summary", { hasText: /n\d leads/ }).waitFor();
  await page.goto(`${url("lessons")}#election`);
  await page.locator(".says", { hasText: /^Three nodes/ }).waitFor();
  await page.goto(url("hunt"));
  await page.click("#start");
  await page.waitForFunction(() => Number(document.querySelector("#worlds").textContent) > 0);
  await page.goto(url("index"));
  await page.locator("#summary", { hasText: /leads/ }).waitFor();
  assert.deepEqual(complaints, []);
});
