// A node in a shared worker, which outlives the tabs that asked for it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chromiumTabs, firefoxTabs, members, until } from "./tabs.mjs";

const ok = (value) => ({ value });

for (const [name, launch] of [
  ["Chromium", chromiumTabs],
  ["Firefox", firefoxTabs],
]) {
  test(`tabs share one node, and it lives on when its first tab is closed, in ${name}`, async (t) => {
    const browser = await launch(t);
    const one = await browser.open();
    const two = await browser.open();
    assert.deepEqual(await one.ask("open", { shared: true }), ok({ id: 1, origin: "founded" }));
    const second = await two.ask("open", { shared: true });
    assert.deepEqual(second, ok({ id: 1, origin: "joined" }));
    assert.deepEqual(await one.ask("increment", "n"), ok(1));
    assert.deepEqual(await two.ask("increment", "n"), ok(2));
    const { value } = await one.ask("status");
    assert.equal(
      (await two.ask("status")).value.transport.incarnation,
      value.transport.incarnation,
    );
    await one.close();
    assert.deepEqual(await two.ask("increment", "n"), ok(3));
    assert.equal(
      (await two.ask("status")).value.transport.incarnation,
      value.transport.incarnation,
    );
    assert.deepEqual((await two.ask("look")).databases, ["quorate/tabs/1"]);

    // What one owner closes goes on for the others; the last one ends it, and it is there again afterwards.
    const three = await browser.open();
    assert.equal((await three.ask("open", { shared: true })).value.id, 1);
    await two.ask("close");
    assert.deepEqual(await three.ask("increment", "n"), ok(4));
    await three.ask("close");
    await until(async () => (await three.ask("look")).held.length === 0, "the node has ended");
    assert.deepEqual(await two.ask("open", { shared: true }), ok({ id: 1, origin: "restored" }));
    assert.deepEqual(await two.ask("increment", "n"), ok(5));
  });
}

test("two tabs and a shared worker: one tab is frozen without a word, and the other one goes on", async (t) => {
  const browser = await chromiumTabs(t);
  const home = await browser.open();
  assert.deepEqual(await home.ask("open", { shared: true }), ok({ id: 1, origin: "founded" }));
  const tabs = [await browser.open(), await browser.open()];
  for (const tab of tabs) assert.equal((await tab.ask("open")).code, undefined);
  await members(home, [1, 2, 3]);
  const [frozen, other] = tabs;
  for (const tab of [home, frozen]) {
    await tab.page.evaluate(() =>
      addEventListener("freeze", (event) => event.stopImmediatePropagation(), true),
    );
  }
  await other.ask("increment", "n");
  await frozen.freeze();
  await home.freeze();
  assert.deepEqual(await other.ask("increment", "n"), ok(2));
  await members(other, [1, 3], [2]);
  await frozen.thaw();
  await members(other, [1, 2, 3]);
  await home.thaw();
  assert.deepEqual(await home.ask("increment", "n"), ok(3));
});

test("a page that is gone leaves no clients behind", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two] = [await browser.open(), await browser.open()];
  await one.ask("open", { shared: true });
  await two.ask("open", { shared: true });
  await two.ask("increment", "n");
  const owners = () =>
    one.page.evaluate(async () => {
      const { held } = await navigator.locks.query();
      return held.filter(({ name }) => name.includes("/owner/")).length;
    });
  assert.equal(await owners(), 2);
  await two.kill();
  await until(async () => (await owners()) === 1, "its lock is free");
  assert.deepEqual(await one.ask("increment", "n"), ok(2));
});

test("pages that share a node name the same machine, which is made anew whenever the node is", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two] = [await browser.open(), await browser.open()];
  const options = { shared: true, machine: "notes.mjs" };
  assert.deepEqual(await one.ask("open", options), ok({ id: 1, origin: "founded" }));
  const other = { shared: true, machine: "counter.mjs" };
  assert.deepEqual(await two.ask("open", other), { code: "MACHINE_MISMATCH" });
  assert.equal((await two.ask("open", options)).value.id, 1);
  assert.deepEqual(await one.ask("execute", "a"), ok(1));
  assert.deepEqual(await two.ask("execute", "b"), ok(2));
  await one.ask("close");
  await two.ask("close");
  await until(async () => (await one.ask("look")).held.length === 0, "the node has ended");
  // In the same worker, whose copy of the module has what it was.
  assert.deepEqual(await one.ask("open", options), ok({ id: 1, origin: "restored" }));
  assert.deepEqual(await one.ask("execute", "c"), ok(3));
});
