// The seat booking over several tabs: nobody is told to have bought what somebody else has, whatever becomes of tabs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { servePage } from "./help.mjs";
import { chromiumTabs, until } from "./tabs.mjs";

/** A visitor's tab, and what it has said to have bought. */
async function visit(browser) {
  const tab = await browser.open();
  const bought = [];
  await tab.page.exposeFunction("heard", (text) => {
    const [, seats] = /^Bought (.+)\.$/.exec(text) ?? [];
    if (seats !== undefined) bought.push(...seats.split(", "));
  });
  await tab.page.evaluate(() => {
    const answer = document.querySelector("#answer");
    new MutationObserver(() => globalThis.heard(answer.textContent)).observe(answer, {
      childList: true,
    });
  });
  const text = (selector) =>
    tab.page.evaluate((selector) => document.querySelector(selector).textContent, selector);
  await until(async () => /runs node/.test(await text("#summary")), "the tab has a node");
  return {
    tab,
    bought,
    text,
    click: (id) => tab.page.evaluate((id) => document.querySelector(id).click(), id),
  };
}

const ids = (text) => (/Voters: ([\d, ]+)/.exec(text)?.[1] ?? "").split(", ").length;

test("what four tabs sell at once, while one is frozen and one is killed, is sold once", async (t) => {
  const site = await servePage();
  t.after(() => site.close());
  const browser = await chromiumTabs(t, new URL("seats.html", site.url).href);
  const visitors = [];
  for (let count = 1; count <= 4; count++) {
    visitors.push(await visit(browser));
    for (const { text } of visitors)
      await until(
        async () => ids(await text("#summary")) === count || text("#summary"),
        "all vote",
      );
  }
  for (const { click } of visitors) await click("#auto");
  const sold = () => visitors.reduce((sum, { bought }) => sum + bought.length, 0);
  await until(() => sold() >= 8 || sold(), "some seats are sold");

  // The one whose node leads hears of nothing any more; another one ends where it stands.
  const summaries = await Promise.all(visitors.map(({ text }) => text("#summary")));
  const at = summaries.findIndex((text) => text.includes("it leads"));
  const frozen = visitors[at];
  const killed = visitors[(at + 1) % 4];
  const rest = visitors.filter((visitor) => visitor !== frozen && visitor !== killed);
  await frozen.tab.freeze();
  await killed.tab.kill();
  // What the two were about to buy comes free when their holds end.
  await until(async () => {
    const [one, two] = await Promise.all(rest.map(({ text }) => text("#count")));
    for (const { text, click } of rest)
      if (!/^60 /.test(await text("#count"))) {
        const pressed = await rest[0].tab.page.evaluate(
          () => document.querySelector("#auto").ariaPressed,
        );
        if (pressed === "false") await click("#auto");
      }
    return (/^60 /.test(one) && /^60 /.test(two)) || [one, two];
  }, "the hall is sold out");
  await frozen.tab.thaw();
  await until(
    async () => /^60 /.test(await frozen.text("#count")),
    "the frozen tab has learned it",
  );

  const all = visitors.flatMap(({ bought }) => bought);
  assert.equal(new Set(all).size, all.length, `sold twice: ${all.sort()}`);
  assert.ok(rest.every(({ bought }) => bought.length > 0));
  for (const { bought, text } of [frozen, ...rest]) {
    const tickets = new Set((await text("#tickets")).match(/[A-F](?:10|[1-9])/g));
    for (const seat of bought) assert.ok(tickets.has(seat), `${seat} was sold, and is not theirs`);
  }
});
