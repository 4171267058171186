// What a browser forbids: every mode says so in a sentence where it needs it, and what needs none of it is there.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "../www/load.mjs";
import { openPages } from "./visit.mjs";

const { visit } = openPages();
const { LESSON_WORDS } = await load("words/lessons");

/** As a host may have it: a header with everything it serves, for workers have the policy of their own file. */
async function prepare(context) {
  await context.route(/\.(html|js)(#.*)?$/, async (route) => {
    const response = await route.fetch();
    const headers = { ...response.headers(), "content-security-policy": "script-src 'self'" };
    await route.fulfill({ response, headers });
  });
}

/** The page under the policy. Its navigation leads to the other modes. */
async function forbidden(t, page, ready) {
  const viewport = { width: 320, height: 800 };
  const tab = await visit(t, page, { prepare, viewport, complains: true });
  await ready(tab);
  await tab.locator("#trouble").waitFor();
  const room = await tab.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(room, viewport.width, "the sentence, however long, is no wider than the screen");
  const links = tab.getByRole("navigation", { name: "Quorate" }).getByRole("link");
  const names = await links.allTextContents();
  for (const name of ["Live", "Simulator", "Lessons", "Hunt"]) assert.ok(names.includes(name));
  return tab;
}

const told = (pattern) => (tab) => tab.locator("#trouble", { hasText: pattern }).waitFor();

test("live: what is written can be read, and one can try again", async (t) => {
  const tab = await forbidden(
    t,
    "index.html",
    told(/forbids WebAssembly.*can be read all the same/),
  );
  await tab.getByRole("button", { name: "Try again" }).waitFor();
});

test("simulator: the sentence names what can be read without, and the way on fails no worse", async (t) => {
  const sentence = told(/did not load or run the simulator's WebAssembly.*texts.*can be read/);
  const tab = await forbidden(t, "simulator.html", sentence);
  await tab.locator("#trouble-way").click();
  await sentence(tab);
  assert.equal(await tab.getByRole("button", { name: "Crash", exact: true }).count(), 0);
  await tab.getByRole("link", { name: "Lessons", exact: true }).click();
  await tab.locator(".wording li").first().waitFor();
});

test("lessons: all texts of each lesson are there to be read", async (t) => {
  const tab = await forbidden(t, "lessons.html", told(/did not load or run/));
  for (const id of ["election", "figure8", "job"]) {
    const { title, says, section } = LESSON_WORDS[id];
    await tab.getByRole("link", { name: title, exact: true }).click();
    await tab.locator(".wording li", { hasText: Object.values(says)[0] }).waitFor();
    assert.deepEqual(await tab.locator(".wording li").allTextContents(), Object.values(says));
    assert.equal(await tab.textContent("#lesson-title"), title);
    assert.equal(await tab.textContent(".source"), section);
    assert.equal(await tab.textContent(".lessons [aria-current]"), title);
    // Nothing is offered that cannot be.
    assert.equal(await tab.getByRole("button", { name: "Next", exact: true }).count(), 0);
    assert.equal(await tab.getByRole("link", { name: /Open this moment/ }).count(), 0);
    assert.equal(await tab.getByRole("button", { name: "Crash", exact: true }).count(), 0);
  }
});

test("hunt: the bugs and their changed lines can be read", async (t) => {
  const tab = await forbidden(t, "hunt.html", async (tab) => {
    await tab.click("#start");
    await told(/The hunt cannot go on: .*can still be read\./)(tab);
  });
  await tab.locator('#state[data-state="ended"]').waitFor();
  const card = tab.locator("#bugs > li").first();
  await card.getByText("The changed lines").click();
  await card.locator("ins").first().waitFor();
});

/** As where a visitor lets no site store anything. */
const nothingKept = (context) =>
  context.addInitScript(() => {
    const forbid = (name) =>
      Object.defineProperty(globalThis, name, {
        get() {
          throw new DOMException("denied", "SecurityError");
        },
      });
    for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches"]) forbid(name);
    Object.defineProperty(Navigator.prototype, "locks", { value: undefined });
  });

test("where nothing may be stored the simulator, the lessons and the hunt work", async (t) => {
  const tab = await visit(t, "simulator.html", { prepare: nothingKept });
  await tab.locator("#summary", { hasText: /n\d leads/ }).waitFor();
  await tab.getByLabel("Theme").selectOption("dark");
  assert.equal(await tab.evaluate(() => document.documentElement.dataset.theme), "dark");
  await tab.getByRole("link", { name: "Lessons", exact: true }).click();
  await tab.locator(".says", { hasText: Object.values(LESSON_WORDS.election.says)[0] }).waitFor();
  await tab.getByRole("link", { name: "Hunt", exact: true }).click();
  await tab.selectOption("#bug", "vote-forgotten-on-restart");
  await tab.click("#start");
  await tab.locator("#finds li").first().waitFor();
  await tab.getByText(/^1 of \d+ found\.$/).waitFor();
});
