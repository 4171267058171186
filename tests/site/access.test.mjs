// The page for everybody: by keyboard, by ear, in any light, on a narrow screen.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { openSite } from "../browser/help.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

const visit = openSite();

test("all of it works by keyboard alone, and the focus is never lost", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  const { page } = visitor;
  const focused = () =>
    page.evaluate(() => {
      const { activeElement } = document;
      return (
        activeElement.getAttribute("aria-label") ??
        (activeElement.name || activeElement.textContent)
      );
    });
  const tabTo = async (name) => {
    for (let stops = 0; stops < 40; stops++) {
      await page.keyboard.press("Tab");
      if ((await focused()) === name) return;
    }
    assert.fail(`Tab never reached ${name}`);
  };
  await tabTo("Kill node 2");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outline);
  assert.match(outline, /solid 3px$/, "the focus can be seen");
  await page.keyboard.press("Enter");
  await visitor.badge(2, "Killed");
  assert.equal(await focused(), "Start node 2");
  await page.keyboard.press("Space");
  await visitor.badge(2, "Follower");
  assert.equal(await focused(), "Kill node 2");
  await tabTo("Cut off node 3 from the others");
  await page.keyboard.press("Space");
  await visitor.badge(3, "Cut off");
  await page.keyboard.press("Shift+Tab");
  while ((await focused()) !== "Heal the network") await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await visitor.told("The network is whole");
  assert.equal(await focused(), "Heal the network");
  await page.keyboard.press("Shift+Tab");
  assert.equal(await focused(), "Add a node");
  await page.keyboard.press("Enter");
  await visitor.told("Node 4 has its vote");
  assert.equal(await focused(), "Add a node");
  await tabTo("Make leader: node 4");
  await page.keyboard.press("Space");
  await visitor.badge(4, "Leader");
  assert.equal(await focused(), "Make leader: node 4");
  await tabTo("Remove node 4 from the cluster");
  await page.keyboard.press("Enter");
  await visitor.card(4).waitFor({ state: "detached" });
  assert.equal(await focused(), "Nodes", "where the others are");
  await tabTo("key");
  await page.keyboard.type("door");
  await tabTo("value");
  await page.keyboard.type("open");
  await page.keyboard.press("Enter");
  await visitor.listed("door", "open");
});

test("a screen reader is told what happened, a few things at a time", async (t) => {
  const visitor = await visit(t);
  const leader = await visitor.leader();
  const said = visitor.page.locator("#announcer");
  assert.equal(await said.getAttribute("role"), "status");
  await visitor.page.evaluate(() => {
    globalThis.said = [];
    const region = document.querySelector("#announcer");
    new MutationObserver(() =>
      globalThis.said.push([performance.now(), region.textContent]),
    ).observe(region, { childList: true, characterData: true, subtree: true });
  });
  await visitor.kill(leader);
  await visitor.leader(leader);
  await visitor.page.waitForFunction(() => globalThis.said.some(([, text]) => /leads/.test(text)));
  const list = await visitor.page.evaluate(() => globalThis.said);
  const all = list.map(([, text]) => text).join(" ");
  assert.match(all, new RegExp(`Node ${leader} was killed\\.`));
  for (const [at, [time, text]] of list.entries()) {
    assert.ok(text.split(". ").length <= 3, text);
    if (at > 0) assert.ok(time - list[at - 1][0] > 1_900, "no faster than one can listen");
  }
  // The strips have a text, and each of their cells has one.
  const strip = visitor.page.locator(`.row[data-node="${(leader % 3) + 1}"]`);
  assert.match(
    await strip.getByRole("group").getAttribute("aria-label"),
    /^Log: \d+ entries, (all|\d+ not known to be) committed, the last of term \d+\.$/,
  );
  assert.match(
    await strip.getByRole("button").first().getAttribute("aria-label"),
    /^Entry 1, term 1 no-op, committed$/,
  );
});

test("who wants no motion sees none", async (t) => {
  const moving = async (reducedMotion) => {
    const visitor = await visit(t, { reducedMotion });
    await visitor.leader();
    return visitor.page.evaluate(
      () =>
        document.getAnimations().length +
        parseFloat(getComputedStyle(document.querySelector(".card")).transitionDuration),
    );
  };
  assert.equal(await moving("reduce"), 0);
});

for (const [name, options] of [
  ["light", {}],
  ["dark", { colorScheme: "dark" }],
  ["narrow", { viewport: { width: 360, height: 740 } }],
  ["forced colors", { forcedColors: "active" }],
]) {
  test(`no rule of accessibility is broken: ${name}`, async (t) => {
    const visitor = await visit(t, { bypassCSP: true, reducedMotion: "reduce", ...options });
    const check = async (when) => {
      const { violations } = await visitor.page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(
        violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
        [],
        when,
      );
      const overflow = await visitor.page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.equal(overflow, 0, `${when}: nothing sticks out at the side`);
    };
    await visitor.page.addScriptTag({ path: axe });
    const leader = await visitor.leader();
    await visitor.call("Put", "k", "v");
    await visitor.call("Put", "w".repeat(150), "v".repeat(150));
    await check("in peace");
    await visitor.cutOff(leader);
    const other = (leader % 3) + 1;
    await visitor.kill(other);
    await visitor.call("Put", "k".repeat(5_000), "v");
    await check("in trouble");
    await visitor.button("Heal the network").click();
    await visitor.button(`Start node ${other}`).click();
    await visitor.leader();
    await visitor.button("Add a node").click();
    await visitor.told("Node 4 has its vote");
    await visitor.away(() => visitor.evict(1, 2));
    await visitor.page.addScriptTag({ path: axe });
    await visitor.summary("No quorum, and none to be had");
    await visitor.card(1).locator(".badge.part").waitFor();
    await check("when storages are lost");
    const second = await visitor.openTab();
    await second.getByText("(STORAGE_LOCKED)").waitFor();
    visitor.page = second;
    await second.addScriptTag({ path: axe });
    await check("where there is no cluster");
  });
}
