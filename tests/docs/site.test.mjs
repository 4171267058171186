// The built site, as a visitor finds it: links lead somewhere, pages are accessible in both colors, the search finds, and nothing
// but the search needs JavaScript or anything from elsewhere.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import axe from "axe-core";
import { buildSite, errorCodes, navigate } from "../../site/build.mjs";
import { publicSymbols, undocumented } from "../../site/declarations.mjs";
import { render } from "../../site/markdown.mjs";
import { home, sources } from "../../site/paths.mjs";
import { serveSite } from "../../site/serve.mjs";
import { launchChromium } from "../browser/chromium.mjs";
import { root } from "../package/help.mjs";

const folder = mkdtempSync(join(tmpdir(), "quorate-site-"));
/** Not at the root of a server: nothing may depend on where it is. */
const base = "/some/where/";

let pages;
let site;
let browser;
before(async () => {
  pages = await buildSite(folder);
  site = await serveSite(folder, { base });
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await site?.close();
  rmSync(folder, { recursive: true, force: true });
});

const html = (page) => readFileSync(join(folder, page), "utf8");
const idsOf = (text) => [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);

/** What pages complained of, or asked others for. */
const complaints = [];
afterEach(() => assert.deepEqual(complaints.splice(0), []));

/** A page whose complaints fail the test. */
async function open(context, url) {
  const page = await context.newPage();
  const complain = (what) => complaints.push(`${url}: ${what}`);
  page.on("console", (message) => message.type() === "error" && complain(message.text()));
  page.on("pageerror", complain);
  page.on("request", (request) => {
    if (!request.url().startsWith(site.url)) complain(`asked for ${request.url()}`);
  });
  await page.goto(url);
  return page;
}

test("everything public has a comment of its own", () => {
  const symbols = publicSymbols();
  assert.ok(symbols.size > 100);
  assert.deepEqual(undocumented(symbols), []);
});

test("every page of docs/ is in the site, and in the navigation of each", () => {
  assert.ok(pages.length > sources().length, "and the reference besides");
  const links = pages.map((page) => `<a href="${page}"`);
  for (const page of pages)
    for (const link of links)
      if (!link.includes("index.html")) assert.ok(html(page).includes(link), `${page}: ${link}`);
});

test("every link leads to a page of the site, and to an anchor that is there once", () => {
  const files = new Set(readdirSync(folder));
  const anchors = new Map(pages.map((page) => [page, new Set(idsOf(html(page)))]));
  let links = 0;
  for (const page of pages) {
    const text = html(page);
    const ids = idsOf(text);
    assert.deepEqual(
      ids.filter((id, place) => ids.indexOf(id) !== place),
      [],
      `${page} has an anchor twice`,
    );
    for (const [, link] of text.matchAll(/ (?:href|src)="([^"]+)"/g)) {
      if (link.startsWith("https://")) continue;
      links += 1;
      const [path, id] = link.replaceAll("&quot;", '"').split("#");
      const target = path === "" ? page : path;
      assert.ok(files.has(target), `${page}: ${link}`);
      if (id !== undefined) assert.ok(anchors.get(target).has(id), `${page}: ${link}`);
    }
  }
  assert.ok(links > 2_000);
});

test("every code of an error has its anchor, a cause and what to do", () => {
  const text = readFileSync(join(root, "docs", "errors.md"), "utf8");
  const page = html("errors.html");
  for (const code of errorCodes()) {
    assert.ok(page.includes(`<tr id="${code.toLowerCase()}">`), code);
    const [row] = text.match(new RegExp(`^\\| \`${code}\` \\|.*$`, "m"));
    const cells = row.split(/(?<!\\)\|/).slice(1, -1);
    for (const cell of cells) assert.notEqual(cell.trim(), "", row);
  }
});

test("a link that leads nowhere, and a page that nobody names, are found", () => {
  const about = {
    source: "docs/errors.md",
    pages: sources(),
    codes: new Set(),
    symbols: new Map(),
  };
  assert.throws(() => render("[there](nowhere.md)", about), /leads nowhere/);
  assert.match(render("[tests](../tests/bundle.mjs)", about).html, /<span class="source">tests/);
  const start = { source: home, file: "index.html", title: "Start" };
  const known = { source: "docs/store.md", file: "store.html", title: "The store" };
  const stranger = { source: "docs/stranger.md", file: "stranger.html", title: "Stranger" };
  assert.deepEqual(navigate([start, known, stranger], []), [
    { title: "How-to", pages: [{ file: "store.html", title: "The store" }] },
    { title: "More", pages: [{ file: "stranger.html", title: "Stranger" }] },
  ]);
});

test("pages are accessible in both colors, and fit on a phone", async () => {
  const context = await browser.newContext({ bypassCSP: true });
  const wide = { width: 1_280, height: 900 };
  const flaws = [];
  for (const name of pages) {
    const page = await open(context, site.url + name);
    await page.setViewportSize(wide);
    await page.evaluate(axe.source);
    const look = async (about, options) => {
      const { violations } = await page.evaluate((how) => globalThis.axe.run(how), options);
      for (const { id, nodes } of violations)
        flaws.push(`${name}, ${about}: ${id} ${nodes.map(({ html: node }) => node).join(" ")}`);
    };
    await page.emulateMedia({ colorScheme: "light" });
    await look("light", {});
    await page.emulateMedia({ colorScheme: "dark" });
    await look("dark", { runOnly: ["color-contrast"] });
    await page.setViewportSize({ width: 390, height: 844 });
    if (name === "index.html") await look("phone", {});
    const over = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    if (over > 0) flaws.push(`${name} is ${over} pixels wider than a phone`);
    await page.close();
  }
  await context.close();
  assert.deepEqual(flaws, []);
});

test("the search finds errors, methods and pages, by keyboard alone, also from a disk", async () => {
  const context = await browser.newContext();
  const starts = [`${site.url}recipes.html`, `${pathToFileURL(join(folder, "recipes.html"))}`];
  for (const start of starts) {
    const page = await context.newPage();
    for (const [query, heading, end] of [
      ["storage lost", "STORAGE_LOST", "errors.html#storage_lost"],
      ["fenced", "STORAGE_FENCED", "errors.html#storage_fenced"],
      ["compareAndSwap", "Kv.compareAndSwap", "#Kv.compareAndSwap"],
      ["fence", "The fence", "storage.html#the-fence"],
    ]) {
      await page.goto(start);
      await page.keyboard.press("/");
      await page.keyboard.type(query);
      const link = page.locator("#hits a", { hasText: heading }).first();
      await link.waitFor();
      const isFocused = () => link.evaluate((node) => node === document.activeElement);
      while (!(await isFocused())) await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
      await page.waitForURL((url) => url.href.endsWith(end));
    }
    await page.locator("#query").fill("xyzzyplugh");
    await page.getByText("Nothing was found.").waitFor();
    await page.close();
  }
  await context.close();
});

test("the search's list is accessible", async () => {
  const context = await browser.newContext({ bypassCSP: true });
  const page = await open(context, `${site.url}index.html`);
  await page.locator("#query").fill("lease");
  await page.locator("#hits li").first().waitFor();
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(
    violations.map(({ id }) => id),
    [],
  );
  await page.keyboard.press("Escape");
  await page.locator("#hits").waitFor({ state: "hidden" });
  await context.close();
});

test("colors are the system's until somebody chooses, and the choice stays", async () => {
  const context = await browser.newContext({ colorScheme: "dark" });
  const page = await open(context, `${site.url}index.html`);
  const ground = () =>
    page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const dark = await ground();
  await page.getByRole("button", { name: "Dark colors", pressed: true }).click();
  const light = await ground();
  assert.notEqual(light, dark);
  await page.goto(`${site.url}errors.html`);
  assert.equal(await ground(), light);
  await context.close();
});

test("without JavaScript everything but the search is there", async () => {
  const context = await browser.newContext({
    javaScriptEnabled: false,
    viewport: { width: 390, height: 844 },
  });
  const page = await open(context, `${site.url}index.html`);
  assert.equal(await page.getByRole("search").isVisible(), false);
  await page.getByText("Menu").click();
  await page.getByRole("link", { name: "Recipes" }).first().click();
  await page.getByRole("heading", { name: "Leader task" }).waitFor();
  await context.close();
});

test("the first stop of the keyboard leads past the navigation", async () => {
  const context = await browser.newContext();
  const page = await open(context, `${site.url}store.html`);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  const inMain = await page.evaluate(() => document.activeElement.closest("main") !== null);
  assert.ok(inMain);
  await context.close();
});
