// The page for jobs: whoever is killed meanwhile, it says that the answer is that of a plain program.

import assert from "node:assert/strict";
import { test } from "node:test";
import { firefox } from "../browser/webdriver.mjs";
import { openPages } from "./visit.mjs";

const pages = openPages();
const patience = 60_000;

/** The page, once a leader is there. */
async function visit(t) {
  const page = await pages.visit(t, "mapreduce.html", { patience });
  await page.locator("#kill-leader[aria-disabled=false]").waitFor();
  return page;
}

async function identical(page) {
  const verdict = page.locator("#verdict", { hasText: /^(Identical|Different): / });
  await verdict.waitFor();
  assert.match(await verdict.textContent(), /^Identical: /);
}

test("a worker and the leader are killed in mid-run: the answer is the same", async (t) => {
  const page = await visit(t);
  await page.selectOption("#size", "4000000");
  await page.selectOption("#what", "longest");
  await page.click("#start");
  await page.locator('.bar[data-fate="won"]').first().waitFor();
  const worked = page.locator(".rows li", { has: page.locator('.bar[data-fate="won"]') }).first();
  await worked.getByRole("button").click();
  await page.click("#kill-leader");
  await page.getByRole("button", { name: /^Start node/ }).click();
  await identical(page);
  assert.equal(await page.textContent("#digest"), await page.textContent("#plain-digest"));
  const events = await page.textContent("#events");
  assert.match(events, /Node \d was killed/);
  assert.equal(await page.locator('.rows li[data-gone="true"]').count(), 1);
});

test("files through the field, by keyboard", async (t) => {
  const page = await visit(t);
  await page.setInputFiles("#files", [
    { name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("the cat\r\nThe größe \xff\n") },
    { name: "b.txt", mimeType: "text/plain", buffer: Buffer.from("the mat") },
  ]);
  assert.match(await page.textContent("#chosen"), /^a\.txt, b\.txt: /);
  for (const job of ["wordcount", "index", "grep", "longest"]) {
    await page.selectOption("#what", job);
    await page.focus("#what");
    const focused = () => page.evaluate(() => document.activeElement.id);
    for (let stops = 0; (await focused()) !== "start"; stops++) {
      assert.ok(stops < 5, "Tab reaches Start");
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.locator("#cancel[aria-disabled=false]").waitFor();
    await page.locator("#start[aria-disabled=false]").waitFor();
    await identical(page);
    if (job === "wordcount") assert.match(await page.textContent("#best tr"), /^the3$/);
  }
});

test("nothing in a file: told with its code", async (t) => {
  const page = await visit(t);
  const empty = { name: "empty.txt", mimeType: "text/plain", buffer: Buffer.from("") };
  await page.setInputFiles("#files", [empty]);
  await page.click("#start");
  await page.locator("#events", { hasText: "(INPUT_EMPTY)" }).waitFor();
});

pages.accessible(
  "mapreduce.html",
  async (page) => {
    await page.locator("#kill-leader[aria-disabled=false]").waitFor();
    await page.selectOption("#size", "4000000");
    await page.click("#start");
    await identical(page);
  },
  { patience, reducedMotion: "reduce" },
);

test("Firefox: the same, while a worker and the leader are killed", async (t) => {
  const driven = await firefox();
  t.after(() => driven.close());
  await driven.open(pages.url("mapreduce.html"));
  await driven.until(
    'return document.querySelector("#kill-leader[aria-disabled=false]") !== null;',
  );
  await driven.run(
    `document.querySelector("#size").value = "4000000";
     document.querySelector("#what").value = "longest";
     document.querySelector("#start").click();`,
  );
  await driven.until(`return document.querySelector('.bar[data-fate="won"]') !== null;`);
  await driven.run(
    `document.querySelector("[aria-label='Kill worker 1']").click();
     document.querySelector("#kill-leader").click();`,
  );
  const verdict = await driven.until(
    `const { textContent } = document.querySelector("#verdict");
     return /^(Identical|Different)/.test(textContent) && textContent;`,
  );
  assert.match(verdict, /^Identical: /);
});
