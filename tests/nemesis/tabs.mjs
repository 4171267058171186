// One run on tabs, each with a node: they come and go, are killed, frozen and reloaded while their clients work; and then the
// history is judged.

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { at } from "../../scripts/lib/run.mjs";
import { chromiumTabs, drivenTabs } from "../browser/tabs.mjs";
import { firefox, webkit } from "../browser/webdriver.mjs";
import { serve } from "../package/help.mjs";
import { chanceOf } from "./chance.mjs";
import { judge } from "./judge.mjs";

/** So many tabs at least, and at most, have a node. */
const [fewest, most] = [2, 5];
/** After the last fault a tab answers within this time. */
const bound = 60_000;

/** What can become of a tab, and how often. Freezing and killing are for browsers whose tabs can be spoken to so. */
const faults = { open: 4, close: 2, reload: 2, hang: 3, kill: 2, freeze: 3 };

/** The browsers whose tabs can be spoken to. */
export const tabHosts = {
  chromium: chromiumTabs,
  firefox: (t, url) => drivenTabs(t, firefox, url),
  webkit: (t, url) => drivenTabs(t, webkit, url),
};

/** One run from its beginning to its end: `{ host, seed, seconds }`. */
export async function driveTabs({ host, seed, seconds }) {
  const ends = [];
  const t = { after: (end) => ends.unshift(end) };
  try {
    const browser = await tabHosts[host](t, await serveTabs(t));
    return await tormentTabs(browser, host, { seed, seconds });
  } finally {
    for (const end of ends) await end();
  }
}

/** The tabs' page with the package beside it. */
async function serveTabs(t) {
  const site = mkdtempSync(join(tmpdir(), "quorate-nemesis-"));
  cpSync(fileURLToPath(new URL(".", import.meta.url)), site, { recursive: true });
  cpSync(at("pkg", "dist"), join(site, "quorate"), { recursive: true });
  // Only an isolated page has the shared memory on which a thread can wait without work.
  const server = await serve(site, {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  });
  t.after(async () => {
    await server.close();
    rmSync(site, { recursive: true, force: true });
  });
  return `${server.url}tabs/index.html`;
}

/** A run of so many seconds in a browser of `tabs.mjs`. What went wrong, what was counted, and where the history is. */
async function tormentTabs(browser, name, { seed, seconds }) {
  const chance = chanceOf(seed, "tabs");
  const counts = Object.fromEntries(Object.keys(faults).map((fault) => [fault, 0]));
  const recorder = await browser.open("#recorder");
  const tabs = new Set();
  let number = 0;
  const join = (tab) => tab.ask("join", { number: ++number, seed, deadline: bound });
  const open = async () => {
    const tab = await browser.open();
    await join(tab);
    tabs.add(tab);
  };
  /** Tabs that stand still, until they go on. */
  const still = new Map();
  const standStill = (tab, ms, end = () => {}) => {
    const over = sleep(ms).then(end);
    still.set(
      tab,
      over.finally(() => still.delete(tab)),
    );
  };
  const deeds = {
    open,
    close: async (tab) => {
      tabs.delete(tab);
      await tab.close();
    },
    reload: async (tab) => {
      await tab.reload();
      await join(tab);
    },
    hang: async (tab) => {
      const ms = chance.between(500, 12_000);
      await tab.ask("hang", ms);
      standStill(tab, ms);
    },
    kill: async (tab) => {
      tabs.delete(tab);
      await tab.kill();
    },
    freeze: async (tab) => {
      await tab.freeze();
      standStill(tab, chance.between(500, 12_000), () => tab.thaw());
    },
  };
  for (let count = 0; count < 3; count++) await open();

  const end = performance.now() + seconds * 1_000;
  while (performance.now() < end) {
    await sleep(chance.between(300, 2_000));
    const fault = chance.weighted(faults);
    const awake = [...tabs].filter((tab) => !still.has(tab));
    const tab = chance.pick(awake);
    if (fault === "open" ? tabs.size >= most : awake.length <= fewest) continue;
    if (fault !== "open" && tab[fault] === undefined && fault !== "hang") continue;
    await deeds[fault](tab);
    counts[fault]++;
  }
  await Promise.all(still.values());

  const problems = [];
  for (const tab of tabs) {
    const outcome = await tab.ask("finish", bound);
    if (outcome !== "known") problems.push(`liveness: a tab's write ended as ${outcome}`);
  }
  const told = await recorder.ask("counts");
  problems.push(...told.problems);
  const folder = at("target", "nemesis");
  mkdirSync(folder, { recursive: true });
  const history = `${folder}/tabs-${name}-${seed}-history.jsonl`;
  writeFileSync(history, await recorder.ask("history"));
  const verdict = await judge(history);
  if (!verdict.linearizable) problems.push(`safety: ${verdict.told}`);
  const { calls, known, notApplied } = told;
  return { problems, calls, known, notApplied, faults: counts, history };
}
