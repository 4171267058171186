// A node in each tab, in Firefox: tabs that come, hang, and go.

import assert from "node:assert/strict";
import { test } from "node:test";
import { firefoxTabs, members, until } from "./tabs.mjs";

const ok = (value) => ({ value });

test("tabs join and vote; one that hangs loses its vote and gets it back; the last goes on alone", async (t) => {
  const browser = await firefoxTabs(t);
  const tabs = [];
  for (const id of [1, 2, 3]) {
    const tab = await browser.open();
    assert.deepEqual(await tab.ask("open"), ok({ id, origin: id === 1 ? "founded" : "joined" }));
    tabs.push(tab);
  }
  for (const tab of tabs) await members(tab, [1, 2, 3]);
  assert.deepEqual(await tabs[0].ask("increment", "n"), ok(1));

  const { leader } = (await tabs[0].ask("status")).value;
  const hung = tabs[leader - 1];
  const rest = tabs.filter((tab) => tab !== hung);
  const others = [1, 2, 3].filter((id) => id !== leader);
  await hung.ask("hang");
  assert.deepEqual(await rest[0].ask("increment", "n"), ok(2));
  await members(rest[0], others, [leader]);
  await hung.ask("unhang");
  await members(rest[0], [1, 2, 3]);
  assert.deepEqual(await hung.ask("increment", "n"), ok(3));

  await hung.close();
  await members(rest[0], others);
  await rest[1].close();
  await members(rest[0], others.slice(0, 1));
  assert.deepEqual(await rest[0].ask("increment", "n"), ok(4));
  await until(async () => {
    const { databases } = await rest[0].ask("look");
    return databases.length === 1 || databases;
  }, "what is not needed any more is removed");
});

test("transports conform in a page", async (t) => {
  const browser = await firefoxTabs(t);
  const tab = await browser.open();
  for (const kind of ["messagePort", "broadcastChannel"]) {
    const { failures, count } = await tab.ask("conform", kind);
    assert.deepEqual(failures, [], kind);
    assert.equal(count, 10);
  }
});
