// The page in Chromium: how soon the live cluster leads, and frames, at ordinary speed and while many messages fly; and those of the
// simulator.

import { existsSync } from "node:fs";
import { Failure } from "../../scripts/lib/run.mjs";
import { chromiumPath, launchChromium } from "../browser/chromium.mjs";
import { servePage } from "../browser/help.mjs";
import { count, percentile, print, time, verdict } from "./table.mjs";

/** What is to be reached: milliseconds, frames and messages per second. */
const aims = { leader: 2_000, rate: 60, worst: 50, messages: 5_000 };

const NODES = 7;

/** Frames of pages with seven nodes, each for so many milliseconds: without load, under load, and simulated. */
export async function measureFrames(ms) {
  if (!existsSync(chromiumPath)) throw new Failure(`Chromium is not installed: ${chromiumPath}`);
  const site = await servePage();
  const browser = await launchChromium();
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.setDefaultTimeout(60_000);
    const leader = await leads(page, () => page.goto(site.url));
    const reload = await leads(page, () => page.reload());
    for (let nodes = 4; nodes <= NODES; nodes++) {
      await page.getByRole("button", { name: "Add a node", exact: true }).click();
      await page.locator("#events li", { hasText: `Node ${nodes} has its vote` }).waitFor();
    }
    const rows = [];
    for (const [name, kind, rate] of [
      ["no load", "write", "0"],
      ["1,000 writes per second", "write", "1000"],
      ["as many writes as it takes", "write", "Infinity"],
      ["1,000 writes and reads per second", "both", "1000"],
      ["reads, a few at a time", "read", "few"],
    ]) {
      await page.locator("#load-kind").selectOption(kind);
      await page.locator("#load-rate").selectOption(rate);
      await page.waitForTimeout(2_000);
      rows.push({ name, ...(await frames(browser, page, ms)) });
    }
    return { leader, reload, rows, simulated: await simulated(browser, site, ms) };
  } finally {
    await browser.close();
    await site.close();
  }
}

/** Frames of the simulator: as it plays when it opens, and ten times faster than in truth. */
async function simulated(browser, site, ms) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(60_000);
  await page.goto(new URL(`simulator.html#v=1&nodes=${NODES}&clients=4`, site.url).href);
  await page
    .locator("#stage .node")
    .nth(NODES - 1)
    .waitFor();
  await page.getByRole("button", { name: "Play", exact: true }).click();
  const rows = [];
  for (const [name, presses] of [
    ["ten times slower than in truth", 0],
    ["as in truth", 3],
    ["ten times faster", 3],
  ]) {
    for (let press = 0; press < presses; press++) await page.keyboard.press("+");
    const time = async () =>
      Number.parseFloat(await page.locator(".transport .time").textContent());
    const began = await time();
    rows.push({ name, ...(await frames(browser, page, ms)), lived: (await time()) - began });
  }
  await page.close();
  return rows;
}

const COLUMNS = [
  "frames/s",
  "frame, 99 of 100",
  "worst frame",
  "longest task",
  "its CPU time per frame",
];

const cells = ({ rate, p99, worst, task, cpu }) => [
  rate.toFixed(1),
  ...[p99, worst, task, cpu].map(time),
];

export function printFrames({ leader, reload, rows, simulated }) {
  print(
    `The live page with ${NODES} nodes, in Chromium`,
    ["", ...COLUMNS, "messages/s", "commits/s"],
    rows.map((row) => [row.name, ...cells(row), count(row.messages), count(row.writes)]),
  );
  print(
    `The simulator with ${NODES} nodes and four clients, in Chromium`,
    ["", ...COLUMNS, "virtual seconds played"],
    simulated.map((row) => [row.name, ...cells(row), row.lived.toFixed(1)]),
  );
  const busy = rows.toSorted((a, b) => b.messages - a.messages)[0];
  // The screen's own rate is 60, give or take a frame in the time.
  const rate = Math.round(10 * rows[0].rate) / 10;
  print(
    "The live page: aims",
    ["", "is", "aim", ""],
    [
      ["a leader after opening", time(leader), time(aims.leader), verdict(leader <= aims.leader)],
      ["a leader after a reload", time(reload), time(aims.leader), verdict(reload <= aims.leader)],
      ["frames per second, no load", rate, aims.rate, verdict(rate > aims.rate - 0.5)],
      [
        `worst frame at ${count(busy.messages)} messages/s`,
        time(busy.worst),
        time(aims.worst),
        verdict(busy.messages >= aims.messages && busy.worst <= aims.worst),
      ],
    ],
  );
}

/** How long it takes from there until the page names a leader. */
async function leads(page, go) {
  const began = performance.now();
  await go();
  await page.locator("#summary", { hasText: "leads in term" }).waitFor();
  return performance.now() - began;
}

/** The times between frames as the page has them, its tasks as the browser's tracing has them, and what a live page says meanwhile. */
async function frames(browser, page, ms) {
  await browser.startTracing(page, { categories: ["toplevel", "devtools.timeline"] });
  const { between, said } = await page.evaluate(
    (ms) =>
      new Promise((resolve) => {
        const between = [];
        const figures = document.querySelector("#figures");
        const said = [];
        const hear = new MutationObserver(() => said.push(figures.textContent));
        if (figures !== null)
          hear.observe(figures, { childList: true, characterData: true, subtree: true });
        const end = performance.now() + ms;
        let before;
        const frame = (at) => {
          if (before !== undefined) between.push(at - before);
          before = at;
          if (at < end) requestAnimationFrame(frame);
          else {
            hear.disconnect();
            resolve({ between, said });
          }
        };
        requestAnimationFrame(frame);
      }),
    ms,
  );
  const tasks = tasksOf(JSON.parse((await browser.stopTracing()).toString()));
  const figures = said.map((text) => /([\d,]+) entries committed, ([\d,]+) messages/.exec(text));
  const mean = (place) =>
    figures.reduce((sum, found) => sum + Number(found[place].replaceAll(",", "")), 0) /
    Math.max(1, figures.length);
  return {
    rate: (1_000 * between.length) / between.reduce((sum, each) => sum + each, 0),
    p99: percentile(between, 0.99),
    worst: Math.max(...between),
    task: Math.max(0, ...tasks.map(({ dur }) => dur)) / 1_000,
    cpu: tasks.reduce((sum, { tdur = 0 }) => sum + tdur, 0) / 1_000 / between.length,
    writes: mean(1),
    messages: mean(2),
  };
}

/** The tasks of the page's main thread, in microseconds by the clock and by the processor. */
function tasksOf({ traceEvents }) {
  const main = traceEvents.filter(
    ({ name, args }) => name === "thread_name" && args.name === "CrRendererMain",
  );
  const isMain = ({ pid, tid }) => main.some((thread) => thread.pid === pid && thread.tid === tid);
  return traceEvents.filter(
    (event) => event.ph === "X" && /RunTask$/.test(event.name) && isMain(event),
  );
}
