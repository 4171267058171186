// Hunt and Break it, in Chromium and Firefox: a planted bug is found, and the link to it leads to its world.

import assert from "node:assert/strict";
import { test } from "node:test";
import { firefox } from "../browser/webdriver.mjs";
import { openPages } from "./visit.mjs";

const pages = openPages();
const patience = 60_000;
const visit = (t, options) => pages.visit(t, "hunt.html", { patience, ...options });

/** Found in every world or so, and in few. */
const [EASY, RARE] = ["vote-forgotten-on-restart", "old-half-decides-alone"];

const number = async (page, id) => Number((await page.textContent(`#${id}`)).replaceAll(",", ""));

/** What a link to the simulator says. */
function fieldsOf(href) {
  const [page, fragment] = href.split("#");
  assert.match(page, /simulator\.html$/);
  return Object.fromEntries(new URLSearchParams(fragment));
}

test("the code as it ships is hunted until stopped, and nothing fails", async (t) => {
  const page = await visit(t);
  await page.fill("#workers", "2");
  await page.click("#start");
  await page.locator('#state[data-state="running"]').waitFor();
  await page.waitForFunction(() => Number(document.querySelector("#worlds").textContent) >= 10);
  await page.click("#stop");
  await page.locator('#state[data-state="ended"]').waitFor();
  const worlds = await number(page, "worlds");
  assert.ok((await number(page, "faults")) > 0);
  assert.equal(await number(page, "failed"), 0);
  assert.equal(await page.textContent("#finds-note"), "No world has failed.");
  assert.equal(await page.textContent("#kinds"), `Passed${worlds}`);
  // Whoever still worked has ended with it: a later hunt is all that counts.
  await page.evaluate(() => {
    const figure = document.querySelector("#worlds");
    const see = () => {
      globalThis.begins ??= Number(figure.textContent);
    };
    new MutationObserver(see).observe(figure, {
      childList: true,
      characterData: true,
      subtree: true,
    });
  });
  await page.fill("#workers", "1");
  await page.click("#start");
  await page.locator('#state[data-state="running"]').waitFor();
  await page.waitForFunction(() => globalThis.begins !== undefined);
  assert.ok((await page.evaluate(() => globalThis.begins)) < worlds);
  await page.click("#stop");
  await page.locator('#state[data-state="ended"]').waitFor();
  const stopped = await number(page, "worlds");
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 500)));
  assert.equal(await number(page, "worlds"), stopped);
});

test("a planted bug is found, and its link names the world and the moment", async (t) => {
  const page = await visit(t);
  await page.selectOption("#bug", EASY);
  await page.fill("#seed", "1,000");
  await page.fill("#workers", "1");
  await page.press("#seed", "Enter");
  const first = page.locator("#finds li").first();
  await first.waitFor();
  await page.click("#stop");
  const seed = await first.getAttribute("data-seed");
  assert.ok(Number(seed) >= 1_000 && Number(seed) < 1_100, seed);
  assert.match(await first.textContent(), /^One vote in a term in world \d+/);
  const fields = fieldsOf(await first.getByRole("link").getAttribute("href"));
  assert.deepEqual(
    [fields.v, fields.seed, fields.world, fields.bug],
    ["1", seed, "campaign", EASY],
  );
  assert.ok(Number(fields.at) > 0);
  const failed = await number(page, "failed");
  assert.equal(await page.locator("#finds li").count(), Math.min(failed, 100));
  assert.match(await page.textContent("#kinds"), /One vote in a term/);
  assert.match(await page.textContent("#score"), /^1 of \d+ found\.$/);
});

test("the machine searches for one bug, stops where it shows, and the page remembers", async (t) => {
  const page = await visit(t);
  const card = page.locator(`[data-bug="${RARE}"]`);
  await card.getByText("The changed lines").click();
  assert.match(await card.locator("ins").first().textContent(), /^\+ /);
  await card.getByRole("button", { name: "Let the machine search" }).click();
  await card.getByText(/^Searching: /).waitFor();
  const link = card.getByRole("link", { name: /^Open in the simulator: world \d+$/ });
  await link.waitFor();
  const text = await card.locator(".search").textContent();
  const [, seed] = text.match(/^After \d+ worlds?: world (\d+) breaks “Commit index/);
  const fields = fieldsOf(await link.getAttribute("href"));
  assert.deepEqual([fields.seed, fields.bug], [seed, RARE]);
  assert.equal(await card.getAttribute("data-searching"), "false");
  const mark = card.locator(".badge");
  assert.equal(await mark.textContent(), "Found by the machine");
  await page.reload();
  assert.equal(await mark.textContent(), "Found by the machine");
  const hand = card.getByRole("link", { name: "Find it yourself" });
  assert.equal(fieldsOf(await hand.getAttribute("href")).bug, RARE);
});

test("by keyboard: start, stop, search; who hears is told", async (t) => {
  const page = await visit(t);
  const reach = async (id) => {
    for (let stops = 0; stops < 80; stops++) {
      if ((await page.evaluate(() => document.activeElement.id)) === id) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`Tab does not reach ${id}`);
  };
  await reach("start");
  await page.keyboard.press("Enter");
  await page.locator('#state[data-state="running"]').waitFor();
  assert.match(await page.textContent("#announcer"), /^Hunting in the code as it ships with /);
  await reach("stop");
  await page.keyboard.press("Space");
  await page.locator('#state[data-state="ended"]').waitFor();
  await page
    .locator("#announcer", { hasText: /Stopped after [\d,]+ worlds?: none failed/ })
    .waitFor();
  await reach(`bug-${EASY}-1`);
  await page.keyboard.press("Enter");
  await page.locator(`[data-bug="${EASY}"] .search a`).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), `bug-${EASY}-1`);
});

test("what is no seed is told beside the field", async (t) => {
  const page = await visit(t);
  await page.fill("#seed", "tomorrow");
  await page.click("#start");
  assert.match(await page.textContent("#seed-problem"), /^A seed is a whole number/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "seed");
  assert.equal(await page.getAttribute("#state", "data-state"), "waiting");
});

test("without the module the page says so, and its text stays", async (t) => {
  const prepare = (context) => context.route(/sim_bg.*\.wasm$/, (route) => route.abort());
  const page = await visit(t, { complains: true, prepare });
  await page.click("#start");
  await page.locator("#trouble").waitFor();
  assert.match(await page.textContent("#trouble-text"), /^The hunt cannot go on: /);
  await page.locator('#state[data-state="ended"]').waitFor();
  assert.ok((await page.locator("#bugs > li").count()) >= 10);
});

pages.accessible(
  "hunt.html",
  async (page) => {
    const card = page.locator(`[data-bug="${EASY}"]`);
    await page.selectOption("#bug", EASY);
    await page.click("#start");
    await page.locator("#finds li").first().waitFor();
    await page.click("#stop");
    await card.getByText("The changed lines").click();
    await card.getByRole("button", { name: "Let the machine search" }).click();
    await card.locator(".search a").waitFor();
  },
  { patience },
);

test("in Firefox a planted bug is found, too", async (t) => {
  const driver = await firefox();
  t.after(() => driver.close());
  await driver.open(pages.url("hunt.html"));
  const search = `document.querySelector('[data-bug="${RARE}"] .search')`;
  await driver.run(`document.querySelector('[data-bug="${RARE}"] button').click()`);
  const href = await driver.until(`return ${search}.querySelector("a")?.getAttribute("href")`);
  const text = await driver.run(`return ${search}.textContent`);
  assert.equal(fieldsOf(href).seed, text.match(/world (\d+) breaks/)[1]);
});
