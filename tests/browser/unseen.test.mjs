// Tabs that nobody looks at: hidden, and frozen by the browser. A cluster goes on, a hunt waits, and what happened is told.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { servePage } from "./help.mjs";
import { chromiumTabs, until } from "./tabs.mjs";

let site;
before(async () => {
  site = await servePage();
});
after(() => site?.close());

const led = (page) => page.locator("#summary", { hasText: /^Node \d leads/ }).waitFor();

/** Types a line at the console, as a script may where nobody looks; its answer. */
async function type(page, line) {
  const said = page.locator('#console-lines p:not([data-kind="typed"])');
  const before = await said.count();
  await page.evaluate((line) => {
    document.querySelector("#console-input").value = line;
    document.querySelector("#console-form").requestSubmit();
  }, line);
  await until(async () => (await said.count()) > before, `an answer to ${line}`);
  return (await said.allTextContents())[before];
}

test("a hidden tab's cluster goes on, and what it shows is right as soon as it is seen", async (t) => {
  const browser = await chromiumTabs(t, site.url);
  const { page, context } = await browser.open();
  await led(page);
  const other = await context.newPage();
  await other.bringToFront();
  await until(() => page.evaluate(() => document.hidden), "hidden");
  assert.equal(await type(page, "put k 1"), "ok, at revision 1");
  assert.equal(await type(page, "put k 2"), "ok, at revision 2");
  await page.bringToFront();
  await led(page);
  await page.locator("#entries tr", { hasText: /k.*2/ }).waitFor();
  const said = page.locator("#events li", { hasText: "froze" });
  assert.equal(await said.count(), 0, "it was hidden, not frozen");
});

test("a frozen tab goes on where it was, and says that it was frozen", async (t) => {
  const browser = await chromiumTabs(t, site.url);
  const tab = await browser.open();
  const { page } = tab;
  await led(page);
  assert.equal(await type(page, "put k 1"), "ok, at revision 1");
  await tab.freeze();
  await tab.thaw();
  await page.bringToFront();
  const told = page.locator("#events li", {
    hasText:
      /The browser froze this tab for \d+ seconds?: its nodes stood still with it, and go on/,
  });
  await told.waitFor();
  await led(page);
  assert.equal(await type(page, "get k"), "1");
  assert.equal(await type(page, "put k 2"), "ok, at revision 2");
  await page.locator("#entries tr", { hasText: /k.*2/ }).waitFor();
  const statuses = await page
    .locator("#stage .node")
    .evaluateAll((nodes) => nodes.map((node) => node.dataset.state));
  assert.deepEqual(statuses, ["running", "running", "running"]);
});

test("a hunt waits while its tab is hidden, says so, and goes on when it is seen, or all the time if it is told to", async (t) => {
  const browser = await chromiumTabs(t, new URL("hunt.html", site.url).href);
  const { page, context } = await browser.open();
  const worlds = async () => Number((await page.textContent("#worlds")).replaceAll(",", ""));
  const soon = (condition, what) => until(condition, what, 20_000);
  const state = () => page.locator("#state").getAttribute("data-state");
  const is = (wanted) => soon(async () => (await state()) === wanted, `the hunt is ${wanted}`);
  // Somebody who was told to stop may bring one more batch.
  const goesOn = async () => {
    for (let batch = 0; batch < 3; batch++) {
      const before = await worlds();
      await soon(async () => (await worlds()) > before, `more than ${before} worlds`);
    }
  };
  await page.fill("#workers", "1");
  await page.click("#start");
  await goesOn();
  const other = await context.newPage();
  await other.bringToFront();
  await is("paused");
  assert.match(await page.textContent("#state"), /hidden/i);
  await page.bringToFront();
  await is("running");
  await goesOn();
  await page.check("#hidden");
  await other.bringToFront();
  await until(() => page.evaluate(() => document.hidden), "hidden");
  await goesOn();
  await is("running");
});
