// What goes wrong around tabs: full disks, damaged databases, and such as somebody removes; workers that fail.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chromiumTabs, members, openTabs, serveTabs, until } from "./tabs.mjs";

const ok = (value) => ({ value });

/** Waits until a tab has said why its node halted. */
const halted = (tab, code) =>
  until(async () => {
    const { state, told } = await tab.ask("state");
    const reasons = told.filter(({ type }) => type === "halted").map((event) => event.code);
    return (state === "halted" && reasons.at(-1) === code) || { state, reasons };
  }, `halted: ${code}`);

test("a tab whose disk is full halts with its reason; the others go on, and it comes back", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two, three] = await openTabs(browser, 3);
  await two.ask("disk", 2, true);
  assert.deepEqual(await one.ask("put", "k", 1), ok(true));
  await halted(two, "QUOTA_EXCEEDED");
  assert.equal((await two.ask("status")).code, "NODE_HALTED");
  assert.deepEqual(await three.ask("put", "k", 2), ok(true));
  // The others have room: one of them runs its node until it is no member.
  await members(one, [1, 3]);
  assert.deepEqual(await two.ask("start"), ok(undefined));
  assert.deepEqual(await two.ask("get", "k"), ok(2));
});

test("a tab whose database is removed halts with its reason; the others go on, and it comes back", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two, three] = await openTabs(browser, 3);
  assert.equal(await one.ask("remove", 2), true);
  await halted(two, "STORAGE_TAKEN_AWAY");
  assert.deepEqual(await one.ask("put", "k", 1), ok(true));
  await members(three, [1, 3]);
  assert.deepEqual(await two.ask("start"), ok(undefined));
  assert.deepEqual(await two.ask("get", "k"), ok(1));
  await members(three, [1, 2, 3]);
});

test("an adopted node that fails is let go of, and adopted again", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two] = await openTabs(browser, 2);
  assert.deepEqual(await one.ask("put", "k", 1), ok(true));
  await two.ask("disk", 1, true);
  await one.close();
  // Both are needed, and one of them cannot be run.
  assert.ok((await two.ask("put", "k", 2, 8_000)).code !== undefined);
  await two.ask("disk", 1, false);
  assert.deepEqual(await two.ask("put", "k", 3), ok(true));
  await members(two, [2]);
});

test("a deletion that never ends keeps no tab from running other nodes", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two] = await openTabs(browser, 2);
  await one.ask("undying");
  await two.close();
  await members(one, [1]);
  const third = await browser.open();
  const { value } = await third.ask("open");
  await members(one, [1, value.id]);
  await third.close();
  // Both are needed.
  assert.deepEqual(await one.ask("put", "k", 1, 30_000), ok(true));
});

test("a damaged database keeps no tab from another one, and its node is removed", async (t) => {
  const browser = await chromiumTabs(t);
  const tabs = await openTabs(browser, 3);
  assert.deepEqual(await tabs[0].ask("put", "k", 1), ok(true));
  await browser.crash();
  await browser.start();
  const [page, tab] = [await browser.open(), await browser.open()];
  await page.ask("damage", 1);
  assert.deepEqual(await tab.ask("open"), ok({ id: 2, origin: "restored" }));
  assert.deepEqual(await tab.ask("get", "k"), ok(1));
  await members(tab, [2]);
  const other = await browser.open();
  assert.equal((await other.ask("open")).value?.origin, "joined");
  const { databases } = await tab.ask("look");
  assert.ok(databases.includes("quorate/tabs/1"), "it is left for whoever wants to see it");
});

test("where a damaged database is all that is left, no cluster is founded beside it", async (t) => {
  const browser = await chromiumTabs(t);
  const [one] = await openTabs(browser, 1);
  assert.deepEqual(await one.ask("put", "k", 1), ok(true));
  await one.close();
  const [page, tab] = [await browser.open(), await browser.open()];
  await page.ask("damage", 1);
  assert.equal((await tab.ask("open")).code, "STORAGE_CORRUPT");
  assert.deepEqual((await tab.ask("look")).databases, ["quorate/tabs/1"]);
});

test("a tab does not run a database of another cluster beside the one that tabs run", async (t) => {
  const browser = await chromiumTabs(t);
  const [page, one, two] = [await browser.open(), await browser.open(), await browser.open()];
  assert.deepEqual(await page.ask("foundAlone", 7), ok("founded 1"));
  assert.deepEqual(await page.ask("foundAlone", 8), ok("reset 1"));
  assert.deepEqual(await one.ask("open"), ok({ id: 7, origin: "restored" }));
  assert.deepEqual(await two.ask("open"), ok({ id: 1, origin: "joined" }));
  assert.deepEqual(await two.ask("increment", "n"), ok(2));
  await members(one, [1, 7]);
});

test("a page founds no cluster in place of one whose nodes are tabs' with higher ids", async (t) => {
  const browser = await chromiumTabs(t);
  const page = await browser.open();
  assert.deepEqual(await page.ask("foundAlone", 9), ok("founded 1"));
  assert.deepEqual(await page.ask("openCluster"), { code: "STORAGE_FOREIGN" });
  const tab = await browser.open();
  // A node of its own, since the page has left it one; and the one that knows is adopted.
  assert.deepEqual(await tab.ask("open"), ok({ id: 1, origin: "joined" }));
  assert.deepEqual(await tab.ask("increment", "n"), ok(2));
});

test("a node with an id of its own is not run beside tabs, wherever its storage is", async (t) => {
  const browser = await chromiumTabs(t);
  const [one] = await openTabs(browser, 1);
  const page = await browser.open();
  const options = { id: 2, storage: "memory" };
  assert.deepEqual(await page.ask("open", options), { code: "STORAGE_LOCKED" });
  await one.close();
  assert.deepEqual(await page.ask("open", { ...options, found: true }), {
    value: { id: 2, origin: "founded" },
  });
  // Nor tabs beside it: they would meet, and one of them could take that id.
  const tab = await browser.open();
  assert.deepEqual(await tab.ask("open"), { code: "STORAGE_LOCKED" });
});

test("a tab that is frozen while it opens a node goes on when it is thawed", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two] = [await browser.open(), await browser.open()];
  one.ask("open", { unfounded: true }).catch(() => {}); // It is closed meanwhile.
  const waits = (what) => async () => {
    const { held, waited } = await one.ask("look");
    return what(held, waited) || { held, waited };
  };
  await until(
    waits((held) => held.includes("quorate/tabs/1")),
    "it has a node",
  );
  const opening = two.ask("open");
  await until(
    waits((_, waited) => waited.includes("quorate/tabs/tabs")),
    "the other one waits",
  );
  await two.freeze();
  await until(
    waits((_, waited) => !waited.includes("quorate/tabs/tabs")),
    "it has let go",
  );
  await one.close();
  await two.thaw();
  assert.deepEqual(await opening, ok({ id: 1, origin: "reset" }));
  assert.deepEqual(await two.ask("increment", "n"), ok(1));
});

test("a tab gets a node while another tab hangs that has waited for the end of a free one", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two] = await openTabs(browser, 3);
  const place = "quorate/tabs/2";
  await until(async () => {
    const { waited } = await one.ask("look");
    return waited.filter((other) => other === place).length === 2 || waited;
  }, "both others wait for the end of node 2");
  await one.ask("hang");
  await two.close();
  const four = await browser.open();
  const opened = await four.ask("open");
  await one.ask("unhang");
  assert.deepEqual(opened, ok({ id: 4, origin: "joined" }));
  assert.deepEqual(await four.ask("put", "k", 1), ok(true));
});

test("a node in a shared worker that halts lets go of all that it held, and can be started again", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two] = [await browser.open(), await browser.open()];
  for (const tab of [one, two]) await tab.ask("open", { shared: true });
  assert.deepEqual(await two.ask("increment", "n"), ok(1));
  const removed = one.ask("remove", 1);
  for (const tab of [one, two]) await halted(tab, "STORAGE_TAKEN_AWAY");
  assert.equal(await removed, true);
  const nobody = async () => {
    const { held } = await one.ask("look");
    return held.every((name) => name.includes("/owner/")) || held;
  };
  await until(nobody, "its locks are free");
  for (const tab of [one, two]) assert.deepEqual(await tab.ask("start"), ok(undefined));
  assert.deepEqual(await one.ask("increment", "n"), ok(1));
  assert.deepEqual(await two.ask("increment", "n"), ok(2));
});

test("an error that a shared worker does not catch is told to all its pages", async (t) => {
  const sharedWorker = `
    new BroadcastChannel("break").onmessage = ({ data }) => {
      if (data === "throw") throw new Error("broken");
      Promise.reject(new Error("broken"));
    };
  `;
  const browser = await chromiumTabs(t, await serveTabs(t, { sharedWorker }));
  const [one, two] = [await browser.open(), await browser.open()];
  for (const tab of [one, two]) await tab.ask("open", { shared: true });
  for (const [at, how] of ["throw", "reject"].entries()) {
    assert.deepEqual(await two.ask("increment", "n"), ok(at + 1));
    await one.ask("breakShared", how);
    for (const tab of [one, two]) await halted(tab, "WORKER_FAILED");
    for (const tab of [one, two]) assert.deepEqual(await tab.ask("start"), ok(undefined));
  }
});
