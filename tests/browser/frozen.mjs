// Three tabs that share work through a leader, chosen in three ways at once; the leader's tab is frozen. When does another work?

import { setTimeout as sleep } from "node:timers/promises";
import { chromiumTabs, until } from "./tabs.mjs";

export const ways = ["lock", "library", "quorate"];

/**
 * One round in a browser of its own: the tab that works in all three ways is frozen, for `longer` milliseconds after Quorate has
 * another one, and thawed. `after`: how many milliseconds each way took until another tab worked, null for never; `table`: what a
 * tab showed just before the thaw; `heard`: who began to work, from beginning to end.
 */
export async function round(t, url, longer) {
  const browser = await chromiumTabs(t, url);
  const tabs = [];
  for (let id = 1; id <= 3; id++) {
    const tab = await browser.open();
    const joined = () => tab.page.title().then((title) => title === `Quorate: tab ${id}` || title);
    await until(joined, `tab ${id} has a node`);
    tabs.push(tab);
  }
  // The first tab was alone when it chose, so it leads in every way; the last one is looked at.
  const [first, , watcher] = tabs;
  const heard = () =>
    watcher.page.evaluate(() =>
      [...document.querySelectorAll("#events li")]
        .reverse()
        .map(({ dataset: { way, tab, term, revision, at } }) => ({
          way,
          tab: +tab,
          term: +term,
          revision: +revision,
          at: +at,
        })),
    );
  const lastIs = (all, way) => all.findLast((one) => one.way === way)?.tab;
  await until(async () => {
    const all = await heard();
    return ways.every((way) => lastIs(all, way) === 1) || all;
  }, "the first tab works in every way");

  await first.freeze();
  await watcher.page.bringToFront();
  await until(async () => lastIs(await heard(), "quorate") !== 1, "another tab works");
  await sleep(longer);
  const before = await heard();
  const table = await watcher.page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll("#ways tr")].map((row) => [
        row.dataset.way,
        row.cells[2].textContent,
      ]),
    ),
  );
  await first.thaw();
  await first.page.bringToFront();
  await sleep(longer);
  const after = Object.fromEntries(
    ways.map((way) => {
      const next = before.find(
        (one) => one.way === way && one.at >= first.frozenAt && one.tab !== 1,
      );
      return [way, next === undefined ? null : next.at - first.frozenAt];
    }),
  );
  return { after, table, heard: await heard() };
}
