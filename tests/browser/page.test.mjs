// The page in Chromium, end to end: three workers with IndexedDB, and a visitor who breaks them.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { launch, servePage, Visitor } from "./help.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

let site;
let browser;
before(async () => {
  [site, browser] = await Promise.all([servePage(), launch()]);
});
after(async () => {
  await browser?.close();
  await site?.close();
});

async function visit(t, options) {
  const visitor = await Visitor.arrive(browser, site.url, options);
  t.after(() => visitor.leave());
  return visitor;
}

test("elect, put, kill the leader, read, cut the new leader off, heal, reload, read", async (t) => {
  const visitor = await visit(t);
  const first = await visitor.leader();
  assert.match(await visitor.call("Put", "fruit", "apple"), /^put fruit: stored at revision 1, /);
  await visitor.listed("fruit", "apple");

  await visitor.button(`Kill node ${first}`).click();
  await visitor.role(first, "Killed");
  const second = await visitor.leader(first);
  assert.match(await visitor.call("Get", "fruit"), /“apple”, of revision 1/);
  await visitor.button(`Start node ${first}`).click();
  await visitor.role(first, "Follower");

  await visitor.button(`Cut off node ${second} from the others`).click();
  const third = await visitor.leader(second);
  assert.match(await visitor.call("Put", "fruit", "pear"), /stored at revision 2/);
  // Alone it cannot lead, and does not learn what the others agreed on.
  await visitor.card(second).locator(".badge", { hasNotText: "Leader" }).waitFor();
  const [behind, ahead] = await Promise.all([second, third].map((id) => visitor.committed(id)));
  assert.ok(behind < ahead, `${behind} < ${ahead}`);

  await visitor.button("Heal the network").click();
  await visitor.role(second, "Follower");
  await visitor.page.waitForFunction(() => {
    const facts = [...document.querySelectorAll("dt")].filter(
      (dt) => dt.textContent === "Committed",
    );
    return new Set(facts.map((dt) => dt.nextElementSibling.textContent)).size === 1;
  });
  assert.match(await visitor.call("Get", "fruit"), /“pear”, of revision 2/);

  await visitor.page.reload();
  await visitor.leader();
  await visitor.listed("fruit", "pear");
  assert.match(await visitor.call("Get", "fruit"), /“pear”, of revision 2/);
  assert.match(await visitor.call("Delete", "fruit"), /removed at revision 3/);
  assert.match(await visitor.call("Get", "fruit"), /there is none/);
  assert.deepEqual(visitor.complaints, []);
});

test("without a quorum a write is refused in words, and succeeds once there is one again", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  for (const id of [1, 2]) {
    await visitor.button(`Kill node ${id}`).click();
    await visitor.role(id, "Killed");
  }
  await visitor.page.getByText("No quorum: 1 of 3 nodes run, 2 are needed.").waitFor();
  assert.match(await visitor.call("Put", "k", "2"), /\(NO_QUORUM\)$/);
  await visitor.button("Start node 1").click();
  await visitor.leader();
  assert.match(await visitor.call("Put", "k", "3"), /stored at revision/);
  await visitor.listed("k", "3");
});

test("what cannot be stored is told with its reason, and changes nothing", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  assert.match(await visitor.call("Put", "k".repeat(5_000), "v"), /\(KEY_TOO_LARGE\)$/);
  assert.match(await visitor.call("Put", "k", "v".repeat(1_100_000)), /\(VALUE_TOO_LARGE\)$/);
  assert.deepEqual(await visitor.table(), {});
});

test("a second tab is told where the cluster runs, and takes over when that is closed", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "tab", "first");
  const second = await visitor.openTab(site.url);
  await second.getByText("(STORAGE_LOCKED)").waitFor();
  assert.equal(await second.getByRole("button", { name: "Put" }).count(), 0);
  await visitor.page.close();
  await second.getByRole("button", { name: "Try again" }).click();
  visitor.page = second;
  await visitor.leader();
  await visitor.listed("tab", "first");
});

test("markup in keys and values is text", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  const evil = `<img src=x onerror="document.title='owned'">`;
  await visitor.call("Put", evil, evil);
  await visitor.listed(evil, evil);
  assert.match(await visitor.page.title(), /^Quorate/);
  assert.deepEqual(visitor.complaints, []);
});

test("all of it works by keyboard alone", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  const { page } = visitor;
  const focused = () =>
    page.evaluate(
      () => document.activeElement.getAttribute("aria-label") ?? document.activeElement.name,
    );
  const tabTo = async (name) => {
    for (let stops = 0; stops < 40; stops++) {
      await page.keyboard.press("Tab");
      if ((await focused()) === name) return;
    }
    assert.fail(`Tab never reached ${name}`);
  };
  await tabTo("Kill node 2");
  await page.keyboard.press("Enter");
  await visitor.role(2, "Killed");
  assert.equal(await focused(), "Start node 2", "the focus stays on the button");
  await page.keyboard.press("Space");
  await visitor.role(2, "Follower");
  await tabTo("key");
  await page.keyboard.type("door");
  await tabTo("value");
  await page.keyboard.type("open");
  await page.keyboard.press("Enter");
  await visitor.listed("door", "open");
});

for (const [name, options] of [
  ["light", {}],
  ["dark", { colorScheme: "dark" }],
  ["narrow", { viewport: { width: 360, height: 740 } }],
]) {
  test(`accessible: ${name}`, async (t) => {
    const visitor = await visit(t, { bypassCSP: true, ...options });
    const leader = await visitor.leader();
    await visitor.call("Put", "k", "v");
    await visitor.button(`Cut off node ${leader} from the others`).click();
    await visitor.button(`Kill node ${(leader % 3) + 1}`).click();
    await visitor.role((leader % 3) + 1, "Killed");
    await visitor.page.addScriptTag({ path: axe });
    const { violations } = await visitor.page.evaluate(() => globalThis.axe.run());
    assert.deepEqual(
      violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
      [],
    );
    const overflow = await visitor.page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.equal(overflow, 0, "nothing sticks out at the side");
  });
}
