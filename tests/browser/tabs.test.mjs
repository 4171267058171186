// A node in each tab, in Chromium: tabs that come, go, die and freeze.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chromiumTabs, members, openTabs, until } from "./tabs.mjs";

const ok = (value) => ({ value });

test("transports conform in a page", async (t) => {
  const browser = await chromiumTabs(t);
  const tab = await browser.open();
  for (const kind of ["messagePort", "broadcastChannel"]) {
    const { failures, count } = await tab.ask("conform", kind);
    assert.deepEqual(failures, [], kind);
    assert.equal(count, 10);
  }
});

test("tabs that open join and vote; those that are closed go, down to the last, which goes on alone", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two, three] = await openTabs(browser, 3);
  assert.deepEqual(await one.ask("put", "k", 1), ok(true));
  assert.deepEqual(await three.ask("get", "k"), ok(1));
  await one.close();
  assert.deepEqual(await two.ask("put", "k", 2), ok(true));
  await members(two, [2, 3]);
  await three.close();
  await members(two, [2]);
  assert.deepEqual(await two.ask("get", "k"), ok(2));
  assert.deepEqual(await two.ask("put", "k", 3), ok(true));
  await until(async () => {
    const found = await two.ask("look");
    return `${found.databases} ${found.held}` === "quorate/tabs/2 quorate/tabs/2" || found;
  }, "what is not needed any more is removed");
  const again = await browser.open();
  assert.deepEqual(await again.ask("open"), ok({ id: 1, origin: "joined" }));
  assert.deepEqual(await again.ask("get", "k"), ok(3));
  await members(again, [1, 2]);
});

test("tabs that open at the same moment found one cluster, and each gets a node of its own", async (t) => {
  const browser = await chromiumTabs(t);
  const tabs = await Promise.all([1, 2, 3].map(() => browser.open()));
  const opened = await Promise.all(tabs.map((tab) => tab.ask("open")));
  assert.deepEqual(opened.map(({ value }) => value.id).sort(), [1, 2, 3]);
  assert.deepEqual(opened.map(({ value }) => value.origin).sort(), ["founded", "joined", "joined"]);
  for (const tab of tabs) await members(tab, [1, 2, 3]);
  const sums = await Promise.all(tabs.map((tab) => tab.ask("increment", "n")));
  assert.deepEqual(sums.map(({ value }) => value).sort(), [1, 2, 3]);
});

test("a tab that is gone before it has founded anything leaves that to the next one", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two] = [await browser.open(), await browser.open()];
  one.ask("open", { unfounded: true }).catch(() => {}); // It is closed meanwhile.
  await until(async () => {
    const { held } = await two.ask("look");
    return held.includes("quorate/tabs/1") || held;
  }, "it has a node");
  const opening = two.ask("open");
  await until(async () => {
    const { waited } = await two.ask("look");
    return waited.includes("quorate/tabs/tabs") || waited;
  }, "who comes later waits");
  await one.close();
  // It had been about to found one.
  assert.deepEqual(await opening, ok({ id: 1, origin: "reset" }));
  assert.deepEqual(await two.ask("increment", "n"), ok(1));
});

test("of two tabs one is killed: the other runs both nodes until one is enough; nothing answered is lost", async (t) => {
  const browser = await chromiumTabs(t);
  const tabs = await openTabs(browser, 2);
  const { value } = await tabs[0].ask("status");
  const [leader, other] = value.role === "leader" ? tabs : tabs.toReversed();
  for (let n = 1; n <= 20; n++) assert.deepEqual(await leader.ask("increment", "n"), ok(n));
  const { id } = await other.ask("state");
  await leader.kill();
  assert.deepEqual(await other.ask("increment", "n"), ok(21));
  await members(other, [id]);
  assert.deepEqual(await other.ask("get", "n"), ok(21));
});

test("of three tabs the leader's is killed: the others see its lock free, and wait no longer", async (t) => {
  const browser = await chromiumTabs(t);
  const election = 6_000;
  const tabs = await openTabs(browser, 3, { timeouts: { election } });
  await members(tabs[0], [1, 2, 3]);
  // Each has looked at the others' locks.
  await until(async () => {
    const { waited } = await tabs[0].ask("look");
    const waits = [1, 2, 3].map((id) => waited.filter((name) => name === `quorate/tabs/${id}`));
    return waits.every(({ length }) => length === 2) || waits;
  }, "each waits for the ends of the others");
  const { value } = await tabs[0].ask("status");
  const at = tabs.findIndex((_, place) => place + 1 === value.leader);
  const other = tabs[(at + 1) % 3];
  const leading = async () =>
    (await other.ask("state")).told.findLast(({ type }) => type === "leaderchange")?.leader;
  await tabs[at].kill();
  const killed = performance.now();
  await until(async () => {
    const leader = await leading();
    return (leader != null && leader !== value.leader) || leader;
  }, "another leads");
  const took = performance.now() - killed;
  assert.ok(took < election * 0.9, `${took} ms: by timers alone it takes longer`);
  assert.deepEqual(await other.ask("put", "k", 1), ok(true));
});

test("a tab that is reloaded takes its node back, and nobody comes or goes", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two] = await openTabs(browser, 2);
  await one.ask("put", "k", 1);
  const before = (await two.ask("status")).value.membersIndex;
  await one.page.reload();
  assert.deepEqual(await one.ask("open"), ok({ id: 1, origin: "restored" }));
  assert.deepEqual(await one.ask("get", "k"), ok(1));
  await members(two, [1, 2]);
  assert.equal((await two.ask("status")).value.membersIndex, before);
});

test("the browser is killed with three tabs: the first tab after that has all that was answered", async (t) => {
  const browser = await chromiumTabs(t);
  const tabs = await openTabs(browser, 3);
  for (let n = 1; n <= 9; n++) assert.deepEqual(await tabs[n % 3].ask("increment", "n"), ok(n));
  await browser.crash();
  await browser.start();
  const tab = await browser.open();
  assert.deepEqual(await tab.ask("open"), ok({ id: 1, origin: "restored" }));
  assert.deepEqual(await tab.ask("get", "n"), ok(9));
  await members(tab, [1]);
  await until(async () => {
    const { databases } = await tab.ask("look");
    return databases.length === 1 || databases;
  }, "its own database is left");
  assert.deepEqual(await tab.ask("increment", "n"), ok(10));
});

/** The leader's tab, and the others. */
async function byRole(tabs) {
  const { value } = await tabs[0].ask("status");
  const leader = tabs.find((_, at) => at + 1 === value.leader);
  return [leader, tabs.filter((tab) => tab !== leader)];
}

for (const count of [2, 3]) {
  test(`of ${count} tabs the leader's is frozen by the browser: the rest goes on, and it comes back thawed`, async (t) => {
    const browser = await chromiumTabs(t);
    const tabs = await openTabs(browser, count);
    const [leader, rest] = await byRole(tabs);
    await leader.ask("put", "k", 1);
    await leader.freeze();
    assert.deepEqual(await rest[0].ask("put", "k", 2), ok(true));
    await until(async () => {
      const { value } = await rest[0].ask("status");
      return value?.members.voters.length === count - 1 || value;
    }, "the membership shrinks");
    await leader.thaw();
    // What it read of its own is no older than what was answered elsewhere.
    assert.deepEqual(await leader.ask("get", "k"), ok(2));
    assert.deepEqual(await leader.ask("put", "k", 3), ok(true));
    assert.deepEqual(await rest[0].ask("get", "k"), ok(3));
    await until(async () => {
      const { value } = await rest[0].ask("status");
      return value?.members.voters.length === count || value;
    }, "it votes again");
  });
}

test("a tab that is frozen without a word loses its vote, does no harm when it thaws, and gets its vote back", async (t) => {
  const browser = await chromiumTabs(t);
  const tabs = await openTabs(browser, 3);
  const [leader, rest] = await byRole(tabs);
  const { id } = await leader.ask("state");
  await leader.page.evaluate(() =>
    // It cannot tell any more.
    addEventListener("freeze", (event) => event.stopImmediatePropagation(), true),
  );
  await leader.ask("put", "k", 1);
  await leader.freeze();
  assert.deepEqual(await rest[0].ask("put", "k", 2), ok(true));
  const { held } = await rest[0].ask("look");
  assert.ok(held.includes(`quorate/tabs/${id}`), "its lock is held");
  const others = [1, 2, 3].filter((other) => other !== id);
  await members(rest[0], others, [id]);
  await leader.thaw();
  assert.deepEqual(await leader.ask("get", "k"), ok(2));
  await members(rest[0], [1, 2, 3]);
  assert.deepEqual((await leader.ask("state")).state, "running");
});

test("a page that is kept for later lets go of its node, and opens one again when it is shown", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two] = await openTabs(browser, 2);
  assert.deepEqual(await one.ask("put", "k", 1), ok(true));
  await one.leave();
  assert.deepEqual(await two.ask("put", "k", 2), ok(true));
  await members(two, [2]);
  await one.comeBack();
  // The very page, and not another one at its address.
  await until(async () => `${(await one.ask("state")).shown}` === "false,true", "it is shown");
  assert.deepEqual(await one.ask("get", "k"), ok(2));
  assert.deepEqual(await one.ask("put", "k", 3), ok(true));
  const { id } = await one.ask("state");
  await members(two, [id, 2].sort());
});

test("tabs run a machine; one that is adopted beside another has a machine of its own", async (t) => {
  const browser = await chromiumTabs(t);
  // One object of a module, whose state is a variable of that module.
  const [one, two] = await openTabs(browser, 2, { machine: "notes.mjs", snapshotEntries: 10 });
  for (let n = 1; n <= 25; n++)
    assert.deepEqual(await (n % 2 ? one : two).ask("execute", n), ok(n));
  const notes = await two.ask("query", null);
  assert.equal(notes.value.length, 25);
  await one.close();
  // The other one needs both nodes for this.
  for (let n = 26; n <= 40; n++) assert.deepEqual(await two.ask("execute", n), ok(n));
  await members(two, [2]);
  assert.deepEqual((await two.ask("query", null)).value.slice(0, 25), notes.value);
  const { state, told } = await two.ask("state");
  assert.equal(state, "running");
  assert.deepEqual(
    told.filter(({ type }) => type === "halted"),
    [],
  );
  const without = await browser.open();
  assert.equal((await without.ask("open")).code, "MACHINE_MISMATCH");
});

test("a node that its tab kills is another's, and the tab can start one again", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two] = await openTabs(browser, 2);
  assert.deepEqual(await one.ask("increment", "n"), ok(1));
  await one.ask("kill");
  assert.equal((await one.ask("status")).code, "NODE_KILLED");
  assert.deepEqual(await two.ask("increment", "n"), ok(2));
  await members(two, [2]);
  assert.deepEqual(await one.ask("start"), ok(undefined));
  assert.deepEqual(await one.ask("increment", "n"), ok(3));
  assert.deepEqual(await one.ask("getHere", "n"), ok(3));
  // Its own one, if the other tab has done with it by then.
  const { id } = await one.ask("state");
  await members(two, [id, 2].sort());
});

test("tabs and a cluster of one page keep out of each other's way under one name", async (t) => {
  const browser = await chromiumTabs(t);
  const [one, two] = await openTabs(browser, 2);
  assert.deepEqual(await one.ask("put", "k", 1), ok(true));
  const { databases } = await one.ask("look");
  const page = await browser.open();
  assert.deepEqual(await page.ask("openCluster"), { code: "STORAGE_LOCKED" });
  assert.deepEqual((await one.ask("look")).databases, databases, "it left nothing behind");
  await one.close();
  await two.close();
  // Nobody runs them: the cluster goes on where the tabs stopped, and they where it does.
  assert.deepEqual(await page.ask("openCluster"), ok("restored"));
  const tab = await browser.open();
  assert.deepEqual(await tab.ask("open"), { code: "STORAGE_LOCKED" });
  await page.ask("closeCluster");
  assert.deepEqual(await tab.ask("open"), ok({ id: 1, origin: "restored" }));
  assert.deepEqual(await tab.ask("get", "k"), ok(1));
});

test("a database of another cluster of that name is left alone", async (t) => {
  const browser = await chromiumTabs(t);
  const [page, tab] = [await browser.open(), await browser.open()];
  assert.deepEqual(await page.ask("foundAlone", 7), ok("founded 1"));
  assert.deepEqual(await page.ask("foundAlone", 8), ok("reset 1"));
  assert.deepEqual(await tab.ask("open"), ok({ id: 7, origin: "restored" }));
  // Nodes with ids of their own are not opened beside tabs.
  assert.deepEqual(await page.ask("foundAlone", 8), { code: "STORAGE_LOCKED" });
  // That took longer than it takes to adopt a node, and to bury it.
  assert.deepEqual((await tab.ask("look")).databases, ["quorate/tabs/7", "quorate/tabs/8"]);
  await tab.close();
  assert.deepEqual(await page.ask("foundAlone", 8), ok("restored 2"));
});
