// What the live page shows of its cluster beside the cluster's own word, in Chromium: messages, timers, faults, console, load.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openSite } from "../browser/help.mjs";

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
  await visitor.button(`Make leader: node ${(leader % 3) + 1}`).click();
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
  const campaigns = [];
  for (let round = 0, former = 0; round < 3; round++) {
    const leader = await visitor.leader(former);
    // Both followers know their deadlines.
    await visitor.page.waitForTimeout(300);
    const since = await visitor.page.evaluate(() => globalThis.reports.length);
    await visitor.cutOff(leader);
    former = leader;
    await visitor.leader(former);
    await visitor.page.waitForTimeout(300);
    // Before the cut is mended: of the one that was cut off nobody hears what it asked meanwhile.
    const asked = await visitor.page.evaluate(
      (since) =>
        globalThis.reports.flatMap(({ node, sightings }, at) => {
          const asked = sightings.find(({ tag, from }) => tag === 1 && from === node);
          // What was told before it asked.
          const told = globalThis.reports.slice(0, at).findLast((report) => report.node === node);
          const isMeant = at >= since && asked !== undefined && told?.timer != null;
          return isMeant ? [asked.at - told.timer.to] : [];
        }),
      since,
    );
    campaigns.push(...asked);
    await visitor.button("Heal the network").click();
    await visitor.badge(leader, "Follower");
  }
  t.diagnostic(`campaigns began so long after the ring was empty: ${campaigns.map(Math.round)} ms`);
  assert.ok(campaigns.length >= 3, `${campaigns}`);
  for (const late of campaigns) assert.ok(late > -3 && late < 250, `${campaigns}`);
  const usual = campaigns.toSorted((a, b) => a - b)[Math.floor(campaigns.length / 2)];
  assert.ok(usual > -3 && usual < 100, `${campaigns}`);
});

/** The middle of an element, as a pointer sees it. */
async function middle(locator) {
  const { x, y, width, height } = await locator.boundingBox();
  return [x + width / 2, y + height / 2];
}

test("members are dragged onto the ring and off it, or come and go by keys", async (t) => {
  const visitor = await visit(t, { viewport: { width: 1180, height: 1600 } });
  await visitor.leader();
  const { page } = visitor;
  const drag = async (from, to) => {
    await from.scrollIntoViewIfNeeded();
    await page.mouse.move(...(await middle(from)));
    await page.mouse.down();
    await page.mouse.move(...(await to()), { steps: 5 });
    await page.mouse.up();
  };
  const members = async () => {
    await page.locator("#console-input").fill("member list");
    await page.locator("#console-input").press("Enter");
    await page.waitForTimeout(100);
    const lines = await page.locator("#console-lines p[data-kind=said]").allTextContents();
    const ids = lines.map((line) => Number(/^node (\d+): voter$/.exec(line)?.[1]));
    await page.locator("#console-input").fill("clear");
    await page.locator("#console-input").press("Enter");
    return ids;
  };
  // Beside the ring is not on it.
  await drag(page.locator("#spare"), () => [5, 5]);
  await drag(page.locator("#spare"), () => middle(page.locator("#stage")));
  await visitor.told("Node 4 has its vote");
  assert.deepEqual(await members(), [1, 2, 3, 4]);

  const mark = (id) => page.locator(`#stage .node[data-node="${id}"]`).first();
  const dialog = page.locator("#confirm");
  await drag(mark(2), () => [5, 5]);
  await dialog.getByText("Remove node 2 from the cluster?").waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  assert.deepEqual(await members(), [1, 2, 3, 4]);
  await drag(mark(2), () => [5, 5]);
  await visitor.button("Remove it").click();
  await visitor.card(2).waitFor({ state: "detached" });
  assert.deepEqual(await members(), [1, 3, 4]);

  await visitor.button("Kill node 4").focus();
  await page.keyboard.press("a");
  await visitor.told("Node 5 has its vote");
  await visitor.button("Kill node 4").focus();
  await page.keyboard.press("Delete");
  await visitor.button("Keep it").focus();
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "hidden" });
  assert.equal(
    await page.evaluate(() => document.activeElement.getAttribute("aria-label")),
    "Kill node 4",
  );
  await page.keyboard.press("Delete");
  await page.keyboard.press("Enter");
  await visitor.card(4).waitFor({ state: "detached" });
  assert.deepEqual(await members(), [1, 3, 5]);
  assert.deepEqual(visitor.complaints, []);
});

test("a frozen leader is no leader any more; it goes on as a follower", async (t) => {
  const visitor = await visit(t);
  const leader = await visitor.leader();
  await visitor.badge(leader, "Leader");
  const term = await visitor.fact(leader, "Term");
  await visitor.button(`Freeze for 5 s: node ${leader}`).click();
  await visitor.badge(leader, "Frozen");
  const other = await visitor.leader(leader);
  const [is, now] = await visitor
    .card(leader)
    .evaluate((card) => [card.dataset.state, card.querySelector("dd").textContent]);
  assert.ok(is !== "frozen" || now === term, `it has not heard of the other: ${now} after ${term}`);
  assert.match(await visitor.call("Put", "k", "1"), /stored at revision 1/);
  await visitor.told(`Node ${leader} goes on`);
  await visitor.badge(leader, "Follower");
  await visitor.badge(other, "Leader");
  await visitor.alike("Committed");
  assert.deepEqual(visitor.complaints, []);
});

test("a link fails in one direction, is slow, and is mended", async (t) => {
  const visitor = await visit(t);
  const leader = await visitor.leader();
  const [deaf, other] = [1, 2, 3].filter((id) => id !== leader);
  const change = async (from, to, fault) => {
    await visitor.page.locator("#link-from").selectOption(String(from));
    await visitor.page.locator("#link-to").selectOption(String(to));
    await visitor.page.locator("#link-fault").selectOption(fault);
    await visitor.button("Change the link").click();
  };
  // From the leader nothing comes; the other follower still hears it, and knows that there is one.
  await change(leader, deaf, "cut");
  await visitor.told(`The link from node ${leader} to node ${deaf} is cut`);
  await visitor.page.getByText(`Node ${leader} to node ${deaf}: all is lost.`).waitFor();
  await visitor.badge(deaf, "Pre-candidate");
  assert.match(await visitor.call("Put", "k", "1"), /stored at revision 1/);
  await visitor.page.waitForFunction((kind) => {
    const row = document.querySelector(`#messages tr[data-kind="${kind}"]`);
    return Number(row?.querySelectorAll("td")[1].textContent) > 0;
  }, "append");
  await visitor.button(`Mend the link from node ${leader} to node ${deaf}`).click();
  await visitor.badge(deaf, "Follower");
  await visitor.alike("Committed");
  await visitor.page.locator("#link-list li").waitFor({ state: "detached" });

  await visitor.page.getByLabel("and back").check();
  await change(leader, deaf, "slow");
  await change(leader, other, "slow");
  await visitor.page.locator("#link-list li").nth(3).waitFor();
  // Its word may come too late for both, who reach each other; if it leads on, a write takes both ways.
  const [, took] = /stored at revision 2, after (\d+) ms$/.exec(
    await visitor.call("Put", "k", "2"),
  );
  const second = await visitor.leader();
  assert.ok(second !== leader || Number(took) >= 1_000, `node ${second} leads, ${took} ms`);
  await visitor.page.locator("#link-from").selectOption(String(leader));
  await visitor.page.locator("#link-to").selectOption(String(leader));
  assert.equal(await visitor.button("Change the link").isDisabled(), true);
  await visitor.button("Heal the network").click();
  await visitor.told("The network is whole");
  await visitor.alike("Committed");
  await visitor.page.locator("#link-list li").first().waitFor({ state: "detached" });
});

/** Types lines at the console, one after the other; what it says to each. */
function typist({ page }) {
  return async (line, lines = 1) => {
    const said = page.locator('#console-lines p:not([data-kind="typed"])');
    const before = await said.count();
    await page.locator("#console-input").fill(line);
    await page.locator("#console-input").press("Enter");
    await said.nth(before + lines - 1).waitFor();
    return (await said.allTextContents()).slice(before);
  };
}

test("the console does what it is told, and says what is wrong", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  const { page } = visitor;
  const type = typist(visitor);
  assert.deepEqual(await type("put fruit 'green apple'"), ["ok, at revision 1"]);
  assert.deepEqual(await type("get fruit"), ["green apple"]);
  await visitor.listed("fruit", "green apple");
  assert.deepEqual(await type("cas fruit pear plum"), ["not swapped: the value is green apple"]);
  assert.deepEqual(await type("cas fruit 'green apple' plum"), ["swapped, at revision 2"]);
  assert.deepEqual(await type("incr n 41"), ["41"]);
  assert.deepEqual(await type("incr n"), ["42"]);
  assert.deepEqual(await type("range", 3), ["fruit = plum", "n = 42", "2 keys"]);
  assert.deepEqual(await type("get fruit --rev 1"), ["green apple"]);
  assert.deepEqual(
    await type(`txn '{"if":[{"key":"seat","version":0}],"do":[{"put":"seat","value":"ada"}]}'`, 2),
    ["the conditions held", '  {"type":"put"}'],
  );
  assert.deepEqual(await type("watch fruit"), ["watch 1: changes of fruit"]);
  // Which comes first nobody promises.
  assert.deepEqual((await type("put fruit fig", 2)).sort(), [
    "ok, at revision 6",
    "watch 1: fruit = fig, at revision 6",
  ]);
  await type("del fruit", 2);
  assert.deepEqual(await type("unwatch"), ["watch 1 has ended"]);
  assert.deepEqual(await type("del --prefix ''"), ["2 removed"]);
  assert.deepEqual(await type("get fruit"), ["(absent)"]);

  assert.deepEqual(await type("lock deploy", 2), [
    "waits for the lock deploy…",
    "You hold the lock deploy, with the token 9.",
  ]);
  await visitor.button("Unlock deploy").click();
  await page.locator("#console-lines", { hasText: "The lock deploy is free." }).waitFor();
  assert.equal(await visitor.button("Unlock deploy").count(), 0);
  assert.equal(await page.evaluate(() => document.activeElement.id), "console-input");

  assert.deepEqual(await type("sing"), ["There is no command sing; “help” lists them."]);
  assert.deepEqual(await type("member"), [
    "member what? There is member list, member add, member remove.",
  ]);
  assert.deepEqual(await type("put 'open"), [
    `A quotation has no end: "…" and '…' hold words together.`,
  ]);
  assert.deepEqual(await type("get a b"), ["get takes KEY: get KEY [--rev N]."]);
  assert.deepEqual(await type("kill 9"), ["There is no node 9; there is nodes 1, 2 and 3."]);
  assert.match((await type("txn {"))[0], /^The transaction is no JSON: /);
  assert.match((await type("incr greeting x"))[0], /^x is no number here\.$/);
  await type("put greeting hello");
  assert.match((await type("incr greeting"))[0], /\(NOT_AN_INTEGER\)$/);
  assert.match((await type("get fruit --rev 900"))[0], /\(FUTURE_REVISION\)$/);

  // What was typed comes back by arrow keys, and names are completed.
  const input = page.locator("#console-input");
  await input.fill("unfinished");
  await input.press("ArrowUp");
  await input.press("ArrowUp");
  assert.equal(await input.inputValue(), "incr greeting");
  await input.press("ArrowDown");
  await input.press("ArrowDown");
  assert.equal(await input.inputValue(), "unfinished");
  await input.fill("unw");
  await input.press("Tab");
  assert.equal(await input.inputValue(), "unwatch ");
  await input.press("Tab");
  assert.notEqual(await page.evaluate(() => document.activeElement.id), "console-input");
  assert.deepEqual(visitor.complaints, []);
});

test("a watch prints no more than one can read, and how much it leaves out", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  const type = typist(visitor);
  await type("watch --prefix load/");
  await visitor.page.locator("#load-rate").selectOption("100");
  await visitor.page
    .getByText(/^watch 1: … and \d+ more in that second$/)
    .first()
    .waitFor();
  await visitor.page.locator("#load-rate").selectOption("0");
  const lines = await visitor.page.locator("#console-lines p").allTextContents();
  const end = lines.findIndex((line) => / more in that second$/.test(line));
  const told = lines.slice(0, end).filter((line) => /^watch 1: load\/\d = \d+, at/.test(line));
  assert.equal(told.length, 20);
});

test("the load writes as fast as it is told, and its figures are told in words and drawn", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  const { page } = visitor;
  await page.locator("#load-rate").selectOption("100");
  await page.waitForFunction(() => {
    const [, written] =
      /^(\d+) answered\.$/.exec(document.querySelector("#load-state").textContent) ?? [];
    return Number(written) > 300;
  });
  const figures = await page.locator("#figures").textContent();
  assert.match(
    figures,
    /^In the last second: \d+ entries committed, \d+ messages between the nodes\. Half of the entries/,
  );
  assert.equal(await page.locator("#plots canvas").count(), 3);
  await page.locator("#load-rate").selectOption("0");
  // What is written is in the store, which was written by nobody else.
  await page.waitForFunction(() => {
    const [, written] = /^([\d,]+) answered/.exec(
      document.querySelector("#load-state").textContent,
    );
    const [, revision] = /revision (\d+)/.exec(
      document.querySelector("#entries-caption").textContent,
    );
    return Number(revision) >= Number(written.replaceAll(",", ""));
  });
  await visitor.kill(1);
  await visitor.kill(2);
  await page.locator("#load-rate").selectOption("10");
  await page.getByText(/answered, \d+ not: .*\((NO_QUORUM|TIMEOUT)\)/).waitFor();
  assert.deepEqual(visitor.complaints, []);
});
