// The page in Chromium, end to end: three workers with IndexedDB, and a visitor who breaks them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openSite } from "./help.mjs";

const visit = openSite();

test("elect, put, kill the leader, read, cut the new leader off, heal, reload, read", async (t) => {
  const visitor = await visit(t);
  const first = await visitor.leader();
  await visitor.badge(first, "Leader");
  assert.match(await visitor.call("Put", "fruit", "apple"), /^Put fruit: stored at revision 1, /);
  await visitor.listed("fruit", "apple");

  await visitor.kill(first);
  const second = await visitor.leader(first);
  assert.match(await visitor.call("Get", "fruit"), /“apple”, of revision 1/);
  await visitor.button(`Start node ${first}`).click();
  await visitor.badge(first, "Follower");
  await visitor.alike("Committed");

  await visitor.cutOff(second);
  const third = await visitor.leader(second);
  const before = Number(await visitor.fact(second, "Committed"));
  assert.match(await visitor.call("Put", "fruit", "pear"), /stored at revision 2/);
  // Alone it cannot lead, and does not learn what the others agreed on.
  await visitor.badge(second, "Pre-candidate");
  assert.equal(Number(await visitor.fact(second, "Committed")), before);
  await visitor.page.waitForFunction(
    ([id, before]) =>
      document.querySelector(`#node-${id}`).closest(".card").querySelectorAll("dd")[3].textContent >
      before,
    [third, String(before)],
  );
  assert.ok((await visitor.strip(second)).committed < (await visitor.strip(third)).committed);

  await visitor.button("Heal the network").click();
  await visitor.badge(second, "Follower");
  await visitor.alike("Committed");
  assert.match(await visitor.call("Get", "fruit"), /“pear”, of revision 2/);

  await visitor.page.reload();
  await visitor.leader();
  await visitor.listed("fruit", "pear");
  assert.match(await visitor.call("Get", "fruit"), /“pear”, of revision 2/);
  assert.match(await visitor.call("Delete", "fruit"), /removed at revision 3/);
  assert.match(await visitor.call("Get", "fruit"), /there is none/);
  assert.match(await visitor.call("Delete", "fruit"), /there was none/);
  const shown = await visitor.page.evaluate(() =>
    [...document.images].map(({ naturalWidth }) => naturalWidth > 0),
  );
  assert.deepEqual(shown, [true], "the picture came");
  assert.deepEqual(visitor.complaints, []);
});

test("too few nodes: a write is refused in words, and succeeds once there are enough again", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  await visitor.kill(1);
  await visitor.kill(2);
  await visitor.summary("No quorum: 1 of 3 nodes run, 2 are needed.");
  const refused = await visitor.call("Put", "k", "2");
  assert.match(
    refused,
    /^Put k: No answer within 5000 ms: no majority could agree; .*\. (Nothing was changed|It may have been done)/,
  );
  assert.match(refused, /\(NO_QUORUM\)$/);
  await visitor.page.getByText("the cluster does not answer now").waitFor();
  await visitor.button("Start node 1").click();
  await visitor.leader();
  assert.match(await visitor.call("Put", "k", "3"), /stored at revision/);
  await visitor.listed("k", "3");
});

test("all nodes apart: nothing is committed; together again, they go on", async (t) => {
  const visitor = await visit(t);
  const leader = await visitor.leader();
  await visitor.call("Put", "k", "before");
  await visitor.listed("k", "before");
  for (const id of [1, 2, 3].filter((id) => id !== leader)) await visitor.cutOff(id);
  await visitor.badge(leader, "Cut off");
  assert.match(await visitor.call("Put", "k", "alone"), /\(NO_QUORUM\)$/);
  await visitor.summary("No quorum: no majority of nodes reach one another.");
  // By now every node has told what it committed.
  const committed = await Promise.all([1, 2, 3].map((id) => visitor.fact(id, "Committed")));
  assert.equal(new Set(committed).size, 1, `${committed}`);
  assert.deepEqual(await visitor.table(), { k: "before" });
  await visitor.button("Heal the network").click();
  await visitor.leader();
  assert.match(await visitor.call("Put", "k", "together"), /stored at revision/);
  await visitor.listed("k", "together");
});

test("what cannot be stored is told with its reason, and changes nothing", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  assert.match(await visitor.call("Put", "k".repeat(5_000), "v"), /\(KEY_TOO_LARGE\)$/);
  assert.match(await visitor.call("Put", "k", "v".repeat(1_100_000)), /\(VALUE_TOO_LARGE\)$/);
  assert.deepEqual(await visitor.table(), {});
  assert.ok((await visitor.page.locator("#events").textContent()).length < 2_000);
});

test("a large value is stored whole and listed by its beginning", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  const large = "ü".repeat(300_000);
  assert.match(await visitor.call("Put", "large", large), /stored at revision 1/);
  await visitor.listed("large", `${"ü".repeat(160)}… (300,000 characters)`);
  await visitor.call("Put", "empty", "");
  await visitor.listed("empty", "(empty)");
  assert.match(await visitor.call("Get", "large"), /^Get large: “ü{160}… \(300,000 characters\)”/);
});

test("the answer is the newest call's, whichever comes last", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.kill(1);
  await visitor.kill(2);
  const write = await visitor.begin("Put", "slow", "1");
  const wrong = await visitor.call("Put", "k".repeat(5_000), "v");
  assert.match(wrong, /\(KEY_TOO_LARGE\)$/);
  await visitor.told("(NO_QUORUM)");
  assert.equal(await visitor.page.locator("#answer").textContent(), wrong);
  assert.equal(await visitor.page.locator("#answer").getAttribute("data-call"), `${write + 1}`);
});

test("a second tab is told where the cluster runs, and takes over when that is closed", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "tab", "first");
  const second = await visitor.openTab();
  await second.getByText("Another tab may have it open.").waitFor();
  await second.getByText("(STORAGE_LOCKED)").waitFor();
  await second.getByText("close that tab and try again").waitFor();
  assert.equal(await second.getByRole("button", { name: "Put" }).count(), 0);
  // The first goes on unharmed.
  assert.match(await visitor.call("Put", "tab", "still first"), /stored at revision 2/);
  await visitor.page.close();
  await second.getByRole("button", { name: "Try again" }).click();
  visitor.page = second;
  await visitor.leader();
  await visitor.listed("tab", "still first");
  assert.equal(await second.evaluate(() => document.activeElement.id), "nodes-title");
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

test("the list of events keeps the newest 200", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.page.evaluate(async () => {
    const button = document.querySelector('button[value="put"]');
    const answer = document.querySelector("#answer");
    // Ten at a time: words of answers are shown five times a second.
    for (let call = 10; call <= 230; call += 10) {
      for (let click = 0; click < 10; click++) button.click();
      await new Promise((resolve) => {
        const look = () =>
          Number(answer.dataset.call) >= call && answer.dataset.kind === "done"
            ? resolve()
            : requestAnimationFrame(look);
        look();
      });
    }
  });
  const events = visitor.page.locator("#events li");
  assert.equal(await events.count(), 200);
  assert.match(await events.first().textContent(), /stored at revision 230$/);
  assert.match(await events.last().textContent(), /stored at revision 31$/);
  // The strips show the newest entries of all, and room for one more: one that stays behind ends earlier.
  const follower = (await visitor.leader()) === 1 ? 2 : 1;
  await visitor.page.waitForFunction(() =>
    [...document.querySelectorAll(".row")].every(
      (row) => row.querySelectorAll('[data-cell="none"]').length === 1,
    ),
  );
  await visitor.kill(follower);
  await visitor.call("Put", "more", "1");
  // It had perhaps shown less than it had when it was killed; the others show all there is.
  const nodes = [1, 2, 3];
  const behind = () => Promise.all(nodes.map(async (id) => (await visitor.strip(id)).none > 1));
  const expected = nodes.map((id) => id === follower);
  for (let look = 0; look < 100 && String(await behind()) !== String(expected); look++) {
    await visitor.page.waitForTimeout(50);
  }
  assert.deepEqual(await behind(), expected);
});
