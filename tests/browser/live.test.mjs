// What the live page shows of its cluster beside the cluster's own word, in Chromium: messages, timers, faults, console, load.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inWorkers, openSite } from "./help.mjs";

const visit = openSite();

/** The table of messages by kind, once it has been made anew. */
const messages = async ({ page }) => {
  const read = () =>
    page.evaluate(() =>
      Object.fromEntries(
        [...document.querySelectorAll("#messages tr")].map((row) => [
          row.dataset.kind,
          [...row.querySelectorAll("td")].map((cell) =>
            Number(cell.textContent.replaceAll(",", "")),
          ),
        ]),
      ),
    );
  const before = JSON.stringify(await read());
  for (;;) {
    const now = await read();
    if (JSON.stringify(now) !== before && Object.keys(now).length > 0) return now;
    await page.waitForTimeout(50);
  }
};

test("what the page sees of messages is what the nodes count, kind by kind", async (t) => {
  const visitor = await visit(t);
  const leader = await visitor.leader();
  for (let put = 0; put < 20; put++) await visitor.call("Put", `k${put % 3}`, "v".repeat(put * 50));
  await visitor.button("Make leader: node " + ((leader % 3) + 1)).click();
  await visitor.leader(leader);
  await visitor.button("Add a node").click();
  await visitor.told("Node 4 has its vote");
  await visitor.page.locator("#load-rate").selectOption("1000");
  await visitor.page.waitForTimeout(1_500);
  await visitor.page.locator("#load-rate").selectOption("0");
  // The last ones come in.
  await messages(visitor);
  await messages(visitor);
  const early = await messages(visitor);
  const late = await messages(visitor);
  assert.ok(late.append[0] > 100, JSON.stringify(late));
  for (const kind of ["requestVote", "voteGranted", "append", "appendAccepted", "heartbeat"])
    assert.ok(late[kind][2] > 0, `${kind}: ${JSON.stringify(late)}`);
  for (const [kind, [sent, lost, seen]] of Object.entries(late)) {
    assert.equal(lost, 0, kind);
    // What goes on all the time is counted a moment before or after it is seen.
    if (["heartbeat", "heartbeatResponse"].includes(kind))
      assert.ok(seen >= early[kind][0] - 40 && seen <= sent + 40, `${kind}: ${seen} of ${sent}`);
    else assert.equal(seen, sent, kind);
  }
  assert.deepEqual(visitor.complaints, []);
});

/** Keeps what the taps in the workers tell the page. */
const recording = (context) =>
  context.addInitScript(() => {
    globalThis.reports = [];
    const { get, set } = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage");
    Object.defineProperty(MessagePort.prototype, "onmessage", {
      get,
      set(handler) {
        set.call(this, (event) => {
          if (event.data?.sightings !== undefined) globalThis.reports.push(event.data);
          handler?.call(this, event);
        });
      },
    });
  });

test("a follower whose leader is cut off campaigns when its ring is empty, and not before", async (t) => {
  const visitor = await visit(t, { prepare: recording });
  for (let round = 0, former = 0; round < 3; round++) {
    const leader = await visitor.leader(former);
    // Both followers know their deadlines.
    await visitor.page.waitForTimeout(300);
    await visitor.cutOff(leader);
    former = leader;
    await visitor.leader(former);
    await visitor.button("Heal the network").click();
    await visitor.badge(leader, "Follower");
  }
  await visitor.page.waitForTimeout(300);
  const campaigns = await visitor.page.evaluate(() =>
    globalThis.reports.flatMap(({ node, sightings }, at) => {
      const asked = sightings.find(({ tag, from }) => tag === 1 && from === node);
      // What was told before it asked.
      const told = globalThis.reports.slice(0, at).findLast((report) => report.node === node);
      return asked === undefined || told?.timer == null ? [] : [asked.at - told.timer.to];
    }),
  );
  t.diagnostic(`campaigns began so long after the ring was empty: ${campaigns.map(Math.round)} ms`);
  assert.ok(campaigns.length >= 3, `${campaigns}`);
  for (const late of campaigns) assert.ok(late > -3 && late < 250, `${campaigns}`);
});
