// The script on Quorate in Node, in Chromium, in Firefox and in WebKit: the same modules, the same package. What each answers.

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Cluster, QuorateError } from "quorate";
import { at } from "../../scripts/lib/run.mjs";
import { launchChromium } from "../browser/chromium.mjs";
import { firefox, webkit } from "../browser/webdriver.mjs";
import { serve } from "../package/help.mjs";
import { quorateAdapter } from "./adapters/quorate.mjs";
import { perform } from "./script.mjs";

/** Worker threads, with their state on disk. */
export async function node() {
  const directory = mkdtempSync(join(tmpdir(), "quorate-etcd-"));
  try {
    const cluster = await Cluster.open({ name: "etcd", nodes: 3, directory });
    try {
      return await perform(quorateAdapter(cluster.kv, QuorateError));
    } finally {
      await cluster.close();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A page of Chromium. */
export const inChromium = () =>
  inPage(async () => {
    const browser = await launchChromium();
    const page = await browser.newPage();
    return {
      open: (url) => page.goto(url),
      outcome: () => page.evaluate(() => globalThis.outcome),
      close: () => browser.close(),
    };
  });

/** A page of Firefox. */
export const inFirefox = () => inPage(() => driven(firefox));

/** A page of WebKit. */
export const inWebkit = () => inPage(() => driven(webkit));

async function driven(launch) {
  const { open, run, close } = await launch();
  return { open, outcome: () => run("return globalThis.outcome;"), close };
}

async function inPage(launch) {
  const site = mkdtempSync(join(tmpdir(), "quorate-etcd-"));
  cpSync(fileURLToPath(new URL(".", import.meta.url)), site, { recursive: true });
  cpSync(at("pkg", "dist"), join(site, "quorate"), { recursive: true });
  const server = await serve(site);
  let page;
  try {
    page = await launch();
    await page.open(`${server.url}page/index.html`);
    for (const end = Date.now() + 300_000; ; ) {
      const outcome = await page.outcome();
      if (outcome?.error) throw new Error(outcome.error);
      if (outcome) return outcome.answers;
      if (Date.now() > end) throw new Error("the page is not done after five minutes");
      await sleep(200);
    }
  } finally {
    await page?.close();
    await server.close();
    rmSync(site, { recursive: true, force: true });
  }
}
