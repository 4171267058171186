// The inspector on a page of its own, under a strict Content-Security-Policy: what it shows, what it can do, and for whom.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { serve } from "../package/help.mjs";
import { launchChromium } from "./chromium.mjs";
import { firefox } from "./webdriver.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const policy = {
  "content-security-policy":
    "default-src 'none'; connect-src 'self'; img-src data:; style-src 'self'; " +
    "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'",
};

let site;
let browser;
before(async () => {
  const folder = mkdtempSync(join(tmpdir(), "quorate-inspector-"));
  cpSync(here("./inspector"), folder, { recursive: true });
  cpSync(here("../../pkg/dist"), join(folder, "quorate"), { recursive: true });
  cpSync(axe, join(folder, "axe.js"));
  const server = await serve(folder, policy);
  const close = async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  site = { url: server.url, close };
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await site?.close();
});

/** A visitor of the page; nothing may be complained of. */
async function visit(t, { query = "", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 1_000 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  t.after(async () => {
    await context.close();
    assert.deepEqual(complaints, []);
  });
  await page.goto(site.url + query);
  await page.waitForFunction(() => globalThis.ready);
  const full = page.locator("#full");
  const summary = (text) => full.getByRole("status").filter({ hasText: text }).waitFor();
  const row = (id) =>
    full.getByRole("row").filter({ has: page.getByRole("rowheader", { name: `Node ${id}` }) });
  const leader = async () => {
    await summary(/Node \d leads/);
    return Number(/Node (\d) leads/.exec(await full.getByRole("status").first().textContent())[1]);
  };
  return { page, full, summary, row, leader };
}

test("it shows nodes, latencies, messages and events, as the cluster has them", async (t) => {
  const { page, full, summary, row, leader } = await visit(t);
  await summary(/3 of 3 nodes run/);
  const id = await leader();
  await row(id).getByText("Leader", { exact: true }).waitFor();
  await page.waitForFunction(() => {
    const root = document.querySelector("#full").shadowRoot;
    const keys = [...root.querySelectorAll("tbody tr[data-role] td:nth-of-type(7)")];
    return keys.length === 3 && keys.every((cell) => cell.textContent === "20");
  });
  const { nodes } = await page.evaluate(() => globalThis.cluster.metrics());
  const { term, proposals } = nodes[id - 1].metrics;
  const cells = await row(id).getByRole("cell").allTextContents();
  assert.equal(cells[1], String(term));
  assert.ok(Number(cells[2]) >= 21 && Number(cells[2]) <= proposals.committed, cells[2]);
  assert.match(cells[4], /^\d+ \([\d.]+ k?B\)$/);
  await full
    .getByRole("img", { name: /half within .*, 99 % within/ })
    .first()
    .waitFor();
  const bars = await page.evaluate(() => {
    const root = document.querySelector("#full").shadowRoot;
    const heights = [...root.querySelectorAll("svg")[0].querySelectorAll("rect:not(.base)")];
    return heights.map((bar) => bar.getBoundingClientRect().height);
  });
  assert.equal(bars.length, 17);
  assert.equal(Math.round(Math.max(...bars)), 20, "the highest bar fills its place");
  await full.getByText("Messages", { exact: true }).click();
  const appends = full.getByRole("row").filter({
    has: page.getByRole("rowheader", { name: "append", exact: true }),
  });
  const [sent, received] = await appends.getByRole("cell").allTextContents();
  assert.ok(Number(sent) >= 4 && Number(received) >= 4, `${sent} ${received}`);
  await full.getByText(/^This site stores .*B of at most .*B\.$/).waitFor();
  mkdirSync(here("../../target/log"), { recursive: true });
  await page.screenshot({ path: here("../../target/log/inspector.png"), fullPage: true });
});

test("with controls it kills, starts, cuts off and heals; without it only looks", async (t) => {
  const { page, full, summary, row, leader } = await visit(t);
  const first = await leader();
  const button = (name) => full.getByRole("button", { name, exact: true });
  const named = page.locator("#named");
  await named
    .getByRole("status")
    .filter({ hasText: /3 of 3 nodes run/ })
    .waitFor();
  assert.equal(await named.getByRole("button").count(), 0, "no buttons without controls");
  await button(`Kill node ${first}`).focus();
  await page.keyboard.press("Enter");
  await summary(/2 of 3 nodes run/);
  await row(first).getByText("Killed").waitFor();
  await full.getByRole("log").getByText(`Node ${first} was killed`).waitFor();
  const focused = () =>
    page.evaluate(
      () => document.activeElement.shadowRoot.activeElement.getAttribute("aria-label"),
      null,
    );
  assert.equal(await focused(), `Start node ${first}`, "the focus stays where it was");
  await page.keyboard.press("Space");
  await summary(/3 of 3 nodes run/);
  const second = await leader();
  await button(`Cut off node ${second}`).click();
  await row(second)
    .getByText(/cut off/)
    .waitFor();
  await full.getByRole("log").getByText("Rules on 4 links").waitFor();
  const third = (second % 3) + 1;
  await button(`Cut off node ${third}`).click();
  await summary(/No node leads/);
  await button("Heal the network").click();
  await full.getByRole("log").getByText("The network is whole").waitFor();
  await leader();
  await full.evaluate((inspector) => inspector.removeAttribute("controls"));
  await button("Heal the network").waitFor({ state: "hidden" });
  assert.equal(await full.getByRole("button").count(), 0);
});

test("events are bounded, and a cluster that is gone is shown as such", async (t) => {
  const { page, full } = await visit(t);
  await page.evaluate(() => {
    for (let n = 0; n < 60; n++) globalThis.cluster.network.heal();
  });
  await page.waitForFunction(
    () => document.querySelector("#full").shadowRoot.querySelectorAll("li").length === 50,
  );
  const named = page.locator("#named");
  await page.evaluate(() => globalThis.forget());
  await named.getByText("Nothing to show.").waitFor();
  await page.evaluate(() => globalThis.cluster.close());
  await full.getByText("The cluster is closed.").waitFor();
  assert.equal(await full.getByRole("button").first().isDisabled(), true);
  await full.evaluate((inspector) => {
    inspector.cluster = null;
  });
  await full.getByText("Nothing to show.").waitFor();
  const wrong = await full.evaluate((inspector) => {
    try {
      inspector.cluster = {};
    } catch (error) {
      return error.code;
    }
  });
  assert.equal(wrong, "INVALID_ARGUMENT");
});

test("an element that is taken away looks no more", async (t) => {
  const { page, leader } = await visit(t);
  await leader();
  const looks = await page.evaluate(async () => {
    for (const element of document.querySelectorAll("quorate-inspector")) element.remove();
    let looks = 0;
    const { metrics } = globalThis.cluster;
    globalThis.cluster.metrics = (...args) => {
      looks += 1;
      return metrics.apply(globalThis.cluster, args);
    };
    await globalThis.cluster.node(1).kill();
    await new Promise((resolve) => setTimeout(resolve, 600));
    return looks;
  });
  assert.equal(looks, 0);
});

for (const [name, options] of [
  ["light", {}],
  ["dark", { colorScheme: "dark" }],
  ["narrow", { viewport: { width: 340, height: 740 } }],
  ["forced colors", { forcedColors: "active" }],
]) {
  test(`no rule of accessibility is broken: ${name}`, async (t) => {
    const { page, full, row, leader } = await visit(t, { reducedMotion: "reduce", ...options });
    const id = await leader();
    await page.addScriptTag({ url: `${site.url}axe.js` });
    const check = async (when) => {
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(
        violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
        [],
        when,
      );
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.equal(overflow, 0, `${when}: nothing sticks out at the side`);
    };
    await full.getByText("Messages", { exact: true }).click();
    await check("in peace");
    await full.getByRole("button", { name: `Kill node ${id}` }).click();
    await row(id).getByText("Killed").waitFor();
    await check("in trouble");
    const moving = await page.evaluate(
      () =>
        document.getAnimations().length +
        parseFloat(
          getComputedStyle(document.querySelector("#full").shadowRoot.querySelector(".role"))
            .transitionDuration,
        ),
    );
    assert.equal(moving, 0, "who wants no motion sees none");
  });
}

test("Chromium's profiler sees what the nodes do, each on its track", async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), "quorate-trace-")), "trace.json");
  t.after(() => rmSync(dirname(path), { recursive: true, force: true }));
  const own = await launchChromium();
  t.after(() => own.close());
  await own.startTracing(null, { path, categories: ["blink.user_timing"] });
  const page = await own.newPage();
  await page.goto(`${site.url}?trace`);
  await page.waitForFunction(() => globalThis.ready, null, { timeout: 30_000 });
  await own.stopTracing();
  const { traceEvents } = JSON.parse(readFileSync(path, "utf8"));
  const told = traceEvents.filter(({ name }) => name.startsWith("quorate "));
  for (const what of ["start", "election", "commit", "persist"])
    assert.ok(
      told.some(({ name }) => name === `quorate ${what}`),
      what,
    );
  const text = JSON.stringify(told);
  for (const id of [1, 2, 3]) assert.ok(text.includes(`node ${id}`), `the track of node ${id}`);
  const threads = new Set(told.map(({ tid }) => tid));
  assert.equal(threads.size, 3, "each worker tells for itself");
});

test("the same in Firefox: shown, killed, started", async (t) => {
  const { open, run, until, close } = await firefox();
  t.after(close);
  await open(site.url);
  const root = `const root = document.querySelector("#full").shadowRoot;`;
  const summary = (pattern) =>
    until(
      `${root} return new RegExp(arguments[0]).exec(root.querySelector("[role=status]").textContent)?.[0];`,
      pattern,
    );
  await until("return globalThis.ready;");
  await summary("3 of 3 nodes run");
  const leader = (await summary("Node \\d leads")).replace(/\D/g, "");
  const click = (name) =>
    run(`${root} root.querySelector("button[aria-label='" + arguments[0] + "']").click();`, name);
  await click(`Kill node ${leader}`);
  await summary("2 of 3 nodes run");
  await until(
    `${root} return root.querySelector("[role=log]").textContent.includes("was killed");`,
  );
  await summary("Node \\d leads");
  await click(`Start node ${leader}`);
  await summary("3 of 3 nodes run");
  const sheets = await run(`${root} return getComputedStyle(root.querySelector("h2")).fontSize;`);
  assert.equal(sheets, "16px", "its styles are in force");
});

test("what was set before the element was known counts, and no pause is longer than a timer's", async (t) => {
  const { page } = await visit(t);
  const seen = await page.evaluate(() => {
    const { early } = globalThis;
    document.body.append(early);
    const attributes = [early.hasAttribute("controls"), early.getAttribute("interval")];
    const set = [early.cluster === globalThis.cluster, early.controls, early.interval];
    const intervals = ["1e12", "Infinity", "5", "soon"].map((text) => {
      early.setAttribute("interval", text);
      return early.interval;
    });
    early.remove();
    return { attributes, set, intervals };
  });
  assert.deepEqual(seen, {
    attributes: [true, "250"],
    set: [true, true, 250],
    intervals: [2 ** 31 - 1, 2 ** 31 - 1, 1_000, 1_000],
  });
});
