// What pages show for a browser, in a browser: the tutorial, step by step, over three tabs; all else as a page of its own.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { launchChromium } from "../browser/chromium.mjs";

import { install, root, serve } from "../package/help.mjs";
import { blocks } from "./blocks.mjs";

const tutorial = "docs/tutorial.md";
const shown = blocks.filter(({ role }) => role === "page");
const others = shown.filter(({ page, language }) => page !== tutorial && language !== "html");
const where = ({ page, line }) => `${page}:${line}`;

/** Where a browser finds the package's modules, as an import map says it. */
function importMap() {
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const imports = Object.entries(exports).flatMap(([path, { default: file }]) =>
    file?.endsWith(".js")
      ? [[name + path.slice(1), file.replace(".", "./node_modules/quorate")]]
      : [],
  );
  return `<script type="importmap">${JSON.stringify({ imports: Object.fromEntries(imports) })}</script>`;
}

/**
 * A page around one block of code, with what its own page shows in HTML, which leaves in `outcome` what came of it. What the block
 * takes for granted is what `given/PAGE.page.mjs` exports.
 */
function alone(name, { page }) {
  const html = shown.filter((block) => block.page === page && block.language === "html");
  const given = `given-${basename(page, ".md")}.page.mjs`;
  const modules = hasGiven(page) ? [`./${given}`, `./${name}.js`] : [`./${name}.js`];
  return `<!doctype html><title>${name}</title>${importMap()}${html.map(({ code }) => code).join("")}
<script type="module">
async function use() {
  for (const module of ${JSON.stringify(modules)}) Object.assign(globalThis, await import(module));
  return "ran";
}
use().catch(String).then((outcome) => { globalThis.outcome = outcome; });
</script>`;
}

const givenOf = (page) => join(root, "tests", "docs", "given", `${basename(page, ".md")}.page.mjs`);
const hasGiven = (page) => existsSync(givenOf(page));

let consumer;
let site;
let browser;
before(async () => {
  const step = (language) =>
    shown
      .filter((block) => block.page === tutorial && block.language === language)
      .map(({ code }) => code)
      .join("\n");
  consumer = await install({
    "index.html": step("html"),
    "counter.js": step("js"),
    ...Object.fromEntries(
      others.flatMap((block, place) => [
        [`page-${place}.html`, alone(`page-${place}`, block)],
        [`page-${place}.js`, block.code],
        ...(hasGiven(block.page)
          ? [
              [
                `given-${basename(block.page, ".md")}.page.mjs`,
                readFileSync(givenOf(block.page), "utf8"),
              ],
            ]
          : []),
      ]),
    ),
  });
  site = await serve(consumer.project);
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await site?.close();
  consumer.remove();
});

/** Opens a tab; what goes wrong in it fails the test. */
async function open(context, path = "") {
  const tab = await context.newPage();
  tab.on("pageerror", (error) => assert.fail(`${path}: ${error}`));
  await tab.goto(join(site.url, path).replace(":/", "://"));
  return tab;
}

for (const [place, block] of others.entries()) {
  test(`${where(block)} runs in a page`, async () => {
    const context = await browser.newContext();
    const tab = await open(context, `page-${place}.html`);
    const outcome = await tab.waitForFunction(() => globalThis.outcome, null, { timeout: 90_000 });
    assert.equal(await outcome.jsonValue(), "ran");
    await context.close();
  });
}

const count = (tab, sum) => tab.locator("#count", { hasText: new RegExp(`^${sum}$`) }).waitFor();
const ready = (tab) => tab.locator("#state", { hasText: /leads/ }).waitFor();

/** What the tabs say of themselves, once they agree who leads, and that one is on duty. */
async function agreed(tabs) {
  const text = (tab) => tab.evaluate(() => document.body.innerText);
  for (;;) {
    const seen = await Promise.all(tabs.map(text));
    const told = seen.map((words) => /node (\d+); node (\d+) leads/.exec(words));
    const [ids, leaders] = [1, 2].map((part) => told.map((found) => Number(found?.[part])));
    const leading = ids.indexOf(leaders[0]);
    const onDuty = seen.filter((words) => words.includes("on duty")).length;
    if (new Set(leaders).size === 1 && leading !== -1 && onDuty === 1) return { ids, leading };
    await Promise.race(tabs.map((tab, place) => tab.evaluate(changed, seen[place])));
  }
}

/** In a page: resolves when it says something else. */
function changed(seen) {
  return new Promise((resolve) => {
    if (document.body.innerText !== seen) return resolve();
    const look = { childList: true, characterData: true, subtree: true };
    new MutationObserver(() => resolve()).observe(document.body, look);
  });
}

test("the tutorial: three tabs count, one leads, one is on duty, and closing tabs loses nothing", {
  timeout: 120_000,
}, async () => {
  const context = await browser.newContext();
  const tabs = [];
  for (let each = 0; each < 3; each++) {
    const tab = await open(context);
    await ready(tab);
    tabs.push(tab);
  }
  await tabs[0].getByRole("button").click();
  await tabs[0].getByRole("button").click();
  await tabs[2].getByRole("button").click();
  for (const tab of tabs) await count(tab, 3);
  const { ids, leading } = await agreed(tabs);
  assert.equal(new Set(ids).size, 3);

  await tabs[leading].close();
  const left = tabs.filter((_, place) => place !== leading);
  await left[0].getByRole("button").click();
  for (const tab of left) await count(tab, 4);
  const after = await agreed(left);
  assert.deepEqual(
    after.ids,
    ids.filter((_, place) => place !== leading),
  );

  await left[0].close();
  await left[1].getByRole("button").click();
  await count(left[1], 5);
  await left[1].close();
  const again = await open(context);
  await count(again, 5);
  await context.close();
});
