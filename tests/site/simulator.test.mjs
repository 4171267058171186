// The simulator's page in Chromium: worlds and the links to them, what is done in them, and what is wrong. In time: rewind.test.mjs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { theatre } from "../sim-page/theatre.mjs";
import { load } from "../www/load.mjs";
import { openPages } from "./visit.mjs";

const { visit, accessible } = openPages();
const { DEFAULT_SPEC } = await load("sim/spec");
const { linkTo } = await load("sim/link");

const spec = { ...DEFAULT_SPEC, seed: 42, think: 60 };
const AT = 400;
const link = (acts = [], at = AT, other = {}) => linkTo({ ...spec, ...other }, acts, at);

/** In the page: what is to be seen of the cluster, as text. */
const SEEN = `
  const all = (selector, read) => [...document.querySelectorAll(selector)].map(read);
  return JSON.stringify({
    ring: all("#stage .node", (node) => node.getAttribute("aria-label")),
    logs: all(".row[data-node]", (row) =>
      [...row.querySelectorAll("[data-cell]")].map((cell) => cell.getAttribute("aria-label"))),
    summary: document.querySelector("#summary").textContent,
    now: all('#events li[aria-current="step"]', (line) => line.textContent),
    calls: all(".history button", (call) => call.getAttribute("aria-label")),
  });
`;

/** What is seen once it stays the same for a while: lists are drawn a few times a second. */
async function settled(look) {
  let before;
  for (let look_ = 0; look_ < 50; look_++) {
    const seen = await look();
    if (seen === before && JSON.parse(seen).ring.length > 0) return JSON.parse(seen);
    before = seen;
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  assert.fail("the page does not come to rest");
}

const seen = (tab) => settled(() => tab.evaluate(`(() => {${SEEN}})()`));

/** The same of a world that is lived here. */
async function world(acts, at, other = {}) {
  const lived = theatre();
  await lived.open({ ...spec, ...other }, acts, at);
  return lived.film;
}

function same({ ring, logs }, film, at) {
  const { nodes } = film.picture(film.momentOf(at));
  assert.equal(ring.length, nodes.length);
  for (const [place, { id, term, state, role, log }] of nodes.entries()) {
    const said = ring[place];
    assert.match(said, new RegExp(`^n${id} term ${term} ${state === "running" ? role : state}`));
    if (log.last > 0) assert.match(said, new RegExp(`Log: ${log.last} entries`));
    for (const { index, term: of, text } of log.entries)
      assert.ok(
        logs[place].some((cell) => cell.startsWith(`Entry ${index}, term ${of} ${text}, `)),
        `entry ${index} of n${id} is to be seen`,
      );
  }
}

test("an ordinary visit: it plays, a leader comes, and calls take effect", async (t) => {
  const tab = await visit(t, "simulator.html");
  await tab.locator("#summary", { hasText: /n\d leads in term \d/ }).waitFor();
  await tab.locator(".history button").first().waitFor();
  await tab.keyboard.press("Space");
  await tab.getByRole("button", { name: "Play", exact: true }).waitFor();
  assert.match(await tab.textContent(".lights-summary"), /^All \d+ hold/);
  await tab.getByRole("button", { name: "Check linearizability" }).click();
  await tab.getByText(/^One order explains/).waitFor();
});

test("a link opens a world at its moment, which is what it is elsewhere", async (t) => {
  const acts = [
    { after: 150, act: { do: "crash", node: 2 } },
    { after: 200, act: { do: "cut", from: 1, to: 3 } },
    { after: 300, act: { do: "call", client: 1, op: "put", key: "k", value: "v", timeout: 2_000 } },
  ];
  const film = await world(acts, AT);
  const tab = await visit(t, link(acts));
  same(await seen(tab), film, AT);
  assert.match((await seen(tab)).ring[1], /^n2 term \d+ down/);
  assert.ok((await seen(tab)).calls.some((call) => /^k=v.*Client 1\b/.test(call)));
});

test("what is done in the past makes another future, which a link carries", async (t) => {
  const tab = await visit(t, link(), { permissions: ["clipboard-read", "clipboard-write"] });
  const before = await seen(tab);
  const follower = before.ring.findIndex((label) => /follower/.test(label)) + 1;
  await tab.locator(`#stage .node[data-node="${follower}"]`).focus();
  await tab.keyboard.press("Enter");
  const told = new RegExp(`Node n${follower}.*follower`);
  await tab.locator("#inspector", { hasText: told }).waitFor();
  await tab.getByRole("button", { name: "Crash", exact: true }).click();
  await tab.locator(`#stage .node[data-node="${follower}"][data-state="down"]`).waitFor();
  // What cannot be done now is told, and changes nothing.
  const another = (follower % 5) + 1;
  await tab.locator(`#stage .node[data-node="${another}"]`).click();
  await tab.getByRole("button", { name: "Lose disk" }).click();
  await tab.locator("#trouble-text", { hasText: /only while all others are whole/ }).waitFor();
  await tab.getByRole("button", { name: "Copy a link to this moment" }).click();
  await tab.getByText(/^The link is copied/).waitFor();
  const copied = new URL(await tab.evaluate(() => navigator.clipboard.readText())).hash;
  assert.match(copied, new RegExp(`acts=${AT}%3Acrash%3A.${follower}`));
  const there = await seen(tab);
  const other = await visit(t, `simulator.html${copied}`);
  const shared = await seen(other);
  assert.deepEqual([shared.ring, shared.logs], [there.ring, there.logs]);
});

test("a planted bug is told, shown where it breaks, and remembered as found by hand", async (t) => {
  const bug = "sent-counts-as-stored";
  const tab = await visit(t, link([], 0, { bug, disk: 40 }));
  await tab.locator("#bug", { hasText: "Sent is not stored" }).waitFor();
  await tab.keyboard.press("+");
  await tab.keyboard.press("+");
  await tab.keyboard.press("Space");
  await tab.locator('.lights-summary[data-state="broken"]').waitFor();
  await tab.keyboard.press("Home");
  await tab.locator('.lights-summary[data-state="holds"]').waitFor();
  assert.deepEqual(JSON.parse(await tab.evaluate(() => localStorage.getItem("quorate.found"))), {
    [bug]: "hand",
  });
});

for (const [name, page, sentence] of [
  ["of a newer format", "simulator.html#v=2&seed=1", /newer version of this page/],
  ["that cannot be read", "simulator.html#v=1&acts=nonsense", /not what this page writes/],
  [
    "with a bug that does not exist",
    "simulator.html#v=1&bug=none-such",
    /no bug named "none-such"/,
  ],
  [
    "with numbers that make no sense",
    "simulator.html#v=1&nodes=99",
    /nodes is a whole number from 1 to 7/,
  ],
]) {
  test(`a link ${name} gives a sentence and a way on`, async (t) => {
    const tab = await visit(t, page);
    await tab.locator("#trouble-text", { hasText: sentence }).waitFor();
    await tab.locator("#trouble-way").click();
    await tab.locator("#summary", { hasText: /leads|No leader/ }).waitFor();
    await tab.locator("#trouble").waitFor({ state: "hidden" });
    assert.equal((await seen(tab)).ring.length, 5);
  });
}

test("where WebAssembly does not come, the page says so", async (t) => {
  const prepare = (context) => context.route(/\.wasm$/, (route) => route.abort());
  const tab = await visit(t, "simulator.html", { prepare, complains: true });
  await tab.locator("#trouble-text", { hasText: /WebAssembly/ }).waitFor();
});

test("a link to a beginning shows its nodes before anything has happened", async (t) => {
  const tab = await visit(t, "simulator.html#v=1&nodes=7&clients=0");
  await tab.locator("#stage .node").nth(6).waitFor();
  assert.equal(await tab.locator('#stage .node[data-state="running"]').count(), 7);
  assert.equal(await tab.textContent(".transport .time"), "0.000 s");
});

accessible(link(), async (tab) => {
  await seen(tab);
  await tab.locator('#stage .node[data-node="1"]').click();
  await tab.getByText("What is checked").click();
});
