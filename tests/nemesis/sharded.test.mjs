// A sharded store whose shards move while its nodes are killed, on Node and in real browsers: what its clients were told is
// linearizable, and no key is lost or there twice.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ShardedCluster } from "quorate/shards";
import { at } from "../../scripts/lib/run.mjs";
import { launchChromium } from "../browser/chromium.mjs";
import { firefox } from "../browser/webdriver.mjs";
import { serveArena } from "./browser.mjs";
import { judge } from "./judge.mjs";
import { torment } from "./sharded.mjs";

/** Always the same choices; when they fall differs from run to run. */
const seed = 6;
const seconds = 8;
/** A run, and what it takes to come to rest. */
const patience = 150_000;

/** The outcome has no problems, much was done, and the history is linearizable. */
async function check(t, host, { problems, done, served, calls, history }) {
  t.diagnostic(JSON.stringify({ done, served, calls }));
  assert.deepEqual(problems, []);
  const count = (...deeds) => deeds.reduce((sum, deed) => sum + (done[deed] ?? 0), 0);
  assert.ok(count("kill", "killMany") > 0, "nodes were killed");
  assert.ok(served > 5, "shards arrived");
  assert.ok(calls.known > 50, "calls were answered");
  const folder = at("target", "nemesis");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `sharded-${host}-history.jsonl`);
  writeFileSync(file, history);
  const { linearizable, told } = await judge(file);
  assert.ok(linearizable, told);
}

test("a sharded store on Node survives the nemesis", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "quorate-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const open = (options) => ShardedCluster.open({ ...options, directory });
  await check(t, "node", await torment({ open, seed, seconds }));
});

test("a sharded store in Chromium survives the nemesis", async (t) => {
  const site = await serveArena("sharded/index.html");
  t.after(() => site.close());
  const browser = await launchChromium();
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(site.url);
  await page.waitForFunction(() => globalThis.begin !== undefined);
  await page.evaluate(([seed, seconds]) => globalThis.begin(seed, seconds), [seed, seconds]);
  const ended = await page.waitForFunction(() => globalThis.ended, null, { timeout: patience });
  await check(t, "chromium", JSON.parse(await ended.jsonValue()));
});

test("a sharded store in Firefox survives the nemesis", async (t) => {
  const site = await serveArena("sharded/index.html");
  t.after(() => site.close());
  const browser = await firefox();
  t.after(() => browser.close());
  await browser.open(site.url);
  await browser.until("return globalThis.begin !== undefined;");
  await browser.run("globalThis.begin(...arguments);", seed, seconds);
  let ended = null;
  for (const end = performance.now() + patience; ended === null; ) {
    assert.ok(performance.now() < end, "the run does not end");
    await sleep(500);
    ended = await browser.run("return globalThis.ended ?? null;");
  }
  await check(t, "firefox", JSON.parse(ended));
});
