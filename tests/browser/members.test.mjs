// Who takes part, on the page: nodes come and go, leadership moves, storages are lost, and each is told in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openSite } from "./help.mjs";

const visit = openSite();

/** Lets the page put without a pause, until the answer of `stop`: how many were stored, and what was not. */
async function load(visitor) {
  await visitor.page.evaluate(() => {
    const button = document.querySelector('button[value="put"]');
    const answer = document.querySelector("#answer");
    const writes = { stored: 0, refused: [], stop: false };
    globalThis.writes = writes;
    writes.over = (async () => {
      let call = Number(answer.dataset.call);
      while (!writes.stop) {
        call += 1;
        button.click();
        while (Number(answer.dataset.call) < call || answer.dataset.kind === "waiting")
          await new Promise((resolve) => setTimeout(resolve, 5));
        if (answer.dataset.kind === "done") writes.stored += 1;
        else writes.refused.push(answer.textContent);
      }
    })();
  });
  const stored = () => visitor.page.evaluate(() => globalThis.writes.stored);
  const stop = () =>
    visitor.page.evaluate(async () => {
      globalThis.writes.stop = true;
      await globalThis.writes.over;
      const { stored, refused } = globalThis.writes;
      return { stored, refused };
    });
  return { stored, stop };
}

const others = (id) => [1, 2, 3].filter((other) => other !== id);

test("a node is added, leads, and is removed", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  await visitor.button("Add a node").click();
  await visitor.told("Node 4 has its vote");
  await visitor.badge(4, "Follower");
  await visitor.summary("All nodes run.");
  await visitor.alike("Committed");

  await visitor.button("Make leader: node 4").click();
  await visitor.badge(4, "Leader");
  await visitor.summary("Node 4 leads");
  assert.equal(
    await visitor.button("Make leader: node 4").getAttribute("aria-disabled"),
    "true",
    "it does already",
  );

  await visitor.button("Remove node 4 from the cluster").click();
  await visitor.told("Node 4 has left the cluster");
  await visitor.card(4).waitFor({ state: "detached" });
  assert.equal(await visitor.page.evaluate(() => document.activeElement.id), "nodes-title");
  await visitor.leader(4);
  assert.match(await visitor.call("Get", "k"), /“1”/);
  assert.match(await visitor.call("Put", "k", "2"), /stored at revision 2/);
  assert.deepEqual(visitor.complaints, []);
});

test("who takes part is the same after a reload", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  await visitor.button("Add a node").click();
  await visitor.told("Node 4 has its vote");
  await visitor.button("Remove node 2 from the cluster").click();
  await visitor.card(2).waitFor({ state: "detached" });
  await visitor.page.reload();
  await visitor.leader();
  await visitor.card(2).waitFor({ state: "detached" });
  const titles = await visitor.page.locator(".card h3").allTextContents();
  assert.deepEqual(titles, ["Node 1", "Node 3", "Node 4"]);
  assert.match(await visitor.call("Get", "k"), /“1”/);
});

test("the last voter stays, and there are seven nodes at most", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  for (const id of [3, 2]) {
    await visitor.button(`Remove node ${id} from the cluster`).click();
    await visitor.card(id).waitFor({ state: "detached" });
  }
  await visitor.summary("It is the only one.");
  await visitor.button("Remove node 1 from the cluster").click();
  await visitor.told(/ Add a node first\. \(NO_VOTER_LEFT\)$/);
  assert.match(await visitor.call("Put", "k", "1"), /stored at revision 1/);
  for (let nodes = 1; nodes < 7; nodes++) {
    await visitor.button("Add a node").click();
    await visitor.told(`Node ${nodes + 1} has its vote`);
  }
  await visitor.page.waitForFunction(() => document.querySelectorAll(".card").length === 7);
  assert.equal(await visitor.button("Add a node").getAttribute("aria-disabled"), "true");
  await visitor.button("Add a node").click({ force: true });
  assert.match(await visitor.call("Put", "k", "2"), /stored at revision 2/);
  assert.equal(await visitor.page.locator(".card").count(), 7);
});

test("without a quorum nobody comes, and that is said", async (t) => {
  const visitor = await visit(t);
  const [first, second] = others(await visitor.leader());
  await visitor.kill(first);
  await visitor.kill(second);
  await visitor.summary("No quorum: 1 of 3 nodes run");
  // The last leader may have taken it before it noticed; then it is not told that nothing was done.
  await visitor.button("Add a node").click();
  await visitor.badge(4, "Not a member");
  await visitor.told("The change is not done yet: a majority has to agree");
  await visitor.told(
    /; start nodes or heal the network\. Then try again\. \(NO_QUORUM\)$|it goes on by itself\. \(TIMEOUT\)$/,
  );
});

test("a button deletes a node's database: it comes back as a voter with all there is", async (t) => {
  const visitor = await visit(t);
  const [running, killed] = others(await visitor.leader());
  await visitor.call("Put", "k", "1");
  await visitor.button(`Delete database of node ${running}`).click();
  await visitor.told(`The database of node ${running} is deleted`);
  await visitor.told(`Node ${running} has learned everything, and has its vote again`);
  // One that does not run misses it when it starts.
  await visitor.kill(killed);
  await visitor.button(`Delete database of node ${killed}`).click();
  await visitor.page.waitForFunction(async () => (await indexedDB.databases()).length === 2);
  await visitor.button(`Start node ${killed}`).click();
  await visitor.told(`Node ${killed} lost its storage, and with it its vote`);
  await visitor.told(`Node ${killed} has learned everything, and has its vote again`);
  await visitor.alike("Committed");
  assert.match(await visitor.call("Get", "k"), /“1”, of revision 1/);
  assert.deepEqual(visitor.complaints, []);
});

test("the only node cannot be cut off from others", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  for (const id of [1, 2]) {
    await visitor.button(`Remove node ${id} from the cluster`).click();
    await visitor.told(`Node ${id} has left the cluster`);
  }
  await visitor.summary("It is the only one.");
  const cut = visitor.button("Cut off node 3 from the others");
  assert.equal(await cut.getAttribute("aria-disabled"), "true");
  await cut.dispatchEvent("click");
  assert.match(await visitor.call("Put", "k", "1"), /stored at revision/);
  assert.equal(await visitor.page.getByText("The network is whole").count(), 0);
});

test("a node whose database is evicted comes back as a voter, while writes go on", async (t) => {
  const visitor = await visit(t);
  const [victim, other] = others(await visitor.leader());
  const writes = await load(visitor);
  await visitor.page.waitForFunction(() => globalThis.writes.stored > 30);
  await visitor.evict(victim);
  await visitor.told(`Node ${victim} halted`);
  await visitor.told(`Node ${victim} lost its storage, and with it its vote`);
  const before = await writes.stored();
  await visitor.told(`Node ${victim} learns anew from the others, without a vote`);
  await visitor.told(`Node ${victim} has learned everything, and has its vote again`);
  await visitor.page.waitForFunction((before) => globalThis.writes.stored > before, before);
  const { stored, refused } = await writes.stop();
  assert.deepEqual(refused, []);
  assert.ok(stored > before);
  await visitor.badge(victim, "Follower");
  assert.equal(await visitor.card(victim).locator(".badge.part").isVisible(), false);
  await visitor.alike("Committed");
  // With its vote one of the others is enough.
  await visitor.kill(other);
  assert.match(await visitor.call("Put", "k", "1"), /stored at revision/);
});

test("a node whose database goes while it is killed learns anew when it is started", async (t) => {
  const visitor = await visit(t);
  const leader = await visitor.leader();
  await visitor.call("Put", "k", "1");
  await visitor.kill(leader);
  await visitor.leader(leader);
  await visitor.evict(leader);
  await visitor.call("Put", "k", "2");
  await visitor.button(`Start node ${leader}`).click();
  await visitor.told(`Node ${leader} lost its storage, and with it its vote`);
  await visitor.told(`Node ${leader} has learned everything, and has its vote again`);
  assert.match(await visitor.call("Get", "k"), /“2”/);
});

test("a node whose database goes while the page is away is told of, and comes back", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  await visitor.alike("Committed");
  await visitor.away(() => visitor.evict(2));
  await visitor.leader();
  await visitor.told("Node 2 has learned everything, and has its vote again");
  assert.match(await visitor.call("Get", "k"), /“1”/);
  assert.equal(await visitor.page.locator("#warning").isVisible(), false);
});

test("without any of its databases the cluster is founded anew, and that is said", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  await visitor.away(() => visitor.evict(1, 2, 3));
  await visitor.leader();
  const warning = visitor.page.locator("#warning");
  assert.match(
    await warning.textContent(),
    /^This cluster was founded anew: the storage of the earlier one is gone/,
  );
  assert.equal(await warning.isVisible(), true);
  await visitor.told("This cluster was founded anew");
  assert.match(await visitor.call("Get", "k"), /there is none/);
  // It is an ordinary one from now on.
  await visitor.call("Put", "k", "2");
  await visitor.page.reload();
  await visitor.leader();
  assert.equal(await warning.isVisible(), false);
  assert.match(await visitor.call("Get", "k"), /“2”/);
});

test("databases that all go while the page is open leave nothing to elect from, also after a reload", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  await visitor.alike("Committed");
  await visitor.evict(1, 2, 3);
  for (const id of [1, 2, 3]) {
    const lost = `Node ${id} lost its storage, and with it its vote`;
    const told = visitor.page.locator("#events li", { hasText: lost });
    const start = visitor.button(`Start node ${id}`);
    await told.or(start).first().waitFor();
    // One whose end the others outlived for a moment starts by itself.
    if (await start.isVisible()) await start.click({ timeout: 2_000 }).catch(() => {});
    await told.waitFor();
  }
  for (const look of ["first", "second"]) {
    await visitor.summary("No quorum, and none to be had: too many voters lost their storage.");
    assert.equal(await visitor.page.locator("#warning").isVisible(), true, look);
    assert.match(await visitor.call("Get", "k"), /\(QUORUM_LOST\)$/, look);
    await visitor.page.reload();
  }
});

test("without a majority of its databases nothing is pretended, after another reload neither", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  await visitor.alike("Committed");
  await visitor.away(() => visitor.evict(1, 2));
  for (const look of ["first", "second"]) {
    await visitor.summary("No quorum, and none to be had: too many voters lost their storage.");
    const warning = await visitor.page.locator("#warning").textContent();
    assert.match(warning, /what was stored cannot be recovered/, look);
    for (const id of [1, 2])
      assert.equal(await visitor.card(id).locator(".badge.part").textContent(), "Lost its storage");
    assert.match(await visitor.call("Get", "k"), /\(QUORUM_LOST\)$/);
    assert.deepEqual(await visitor.table(), {});
    await visitor.page.reload();
  }
});
