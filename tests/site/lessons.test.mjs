// The lessons: each opens, one is walked by keyboard to its end in Chromium and Firefox, and what breaks without a rule is told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "../www/load.mjs";
import { inBoth } from "./hand.mjs";
import { openPages } from "./visit.mjs";

const pages = openPages();
const { visit, accessible } = pages;
const { LESSON_WORDS } = await load("words/lessons");

const says = (tab, text) => tab.locator(".says", { hasText: text }).waitFor();

test("each lesson opens by its link, and says how it begins", async (t) => {
  const tab = await visit(t, "lessons.html");
  for (const [id, words] of Object.entries(LESSON_WORDS)) {
    await tab.evaluate((id) => {
      location.hash = id;
    }, id);
    await says(tab, Object.values(words.says)[0]);
    assert.equal(await tab.textContent("#lesson-title"), words.title);
    await tab.locator("#stage .node").nth(2).waitFor();
    assert.equal(await tab.textContent(".lessons [aria-current]"), words.title);
  }
});

inBoth("a lesson is chosen, walked and tried by keyboard alone", pages, async (hand) => {
  const { title, says, task, done } = LESSON_WORDS.election;
  const texts = Object.values(says);
  const isSaid = (text) => hand.says(".says", text);
  await hand.open("lessons.html#figure8");
  await isSaid(Object.values(LESSON_WORDS.figure8.says)[0]);
  await hand.reach(".lessons a", title);
  await hand.press("Enter");
  await isSaid(texts[0]);
  assert.equal(await hand.run("return document.activeElement.textContent"), title);
  // By the button, and by the keys.
  await hand.reach("#telling button", "Next");
  await hand.press("Enter");
  await isSaid(texts[1]);
  for (const text of texts.slice(2)) {
    await hand.press("n");
    await isSaid(text);
  }
  await hand.press("p");
  await isSaid(texts.at(-2));
  await hand.press("n");
  await isSaid(texts.at(-1));
  await hand.says(".task", task);
  const leader = '#stage .node[data-role="leader"]';
  await hand.reach(leader);
  await hand.press("Enter");
  await hand.until(`return document.querySelector(arguments[0]).ariaPressed === "true"`, leader);
  await hand.reach("#acts button", "Crash");
  await hand.press("Enter");
  for (let press = 0; press < 3; press++) await hand.press("+");
  await hand.says('.task[data-done="true"]', done);
});

test("a moment of a lesson opens in the simulator", async (t) => {
  const tab = await visit(t, "lessons.html#persistence", { reducedMotion: "reduce" });
  const texts = Object.values(LESSON_WORDS.persistence.says);
  await says(tab, texts[0]);
  await tab.keyboard.press("n");
  await says(tab, texts[1]);
  const labels = (page) =>
    page
      .locator("#stage .node")
      .evaluateAll((nodes) => nodes.map((node) => node.getAttribute("aria-label")));
  const here = await labels(tab);
  assert.match(here[1], /voted for n1/);
  await tab.getByRole("link", { name: "Open this moment in the simulator" }).click();
  await tab.locator("#events li").first().waitFor();
  await tab.waitForFunction(
    (label) =>
      document.querySelector('#stage .node[data-node="2"]')?.getAttribute("aria-label") === label,
    here[1],
  );
  assert.deepEqual(await labels(tab), here);
});

/** The cells of the table of shards, row by row. */
const table = (tab) =>
  tab
    .locator("#board tbody tr")
    .evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));

/** Goes on until this is said; nothing moves, so each step is a jump. */
async function goOn(tab, { says: told }, until) {
  for (const [name, text] of Object.entries(told)) {
    await says(tab, text);
    if (name === until) return;
    await tab.getByRole("button", { name: "Next", exact: true }).click();
  }
}

test("a table says which group serves which shard, here and in the simulator", async (t) => {
  const tab = await visit(t, "lessons.html#shards", { reducedMotion: "reduce" });
  await goOn(tab, LESSON_WORDS.shards, "frozen");
  const rows = await table(tab);
  assert.deepEqual(
    rows.map(([shard, , owner]) => [shard, owner]),
    [
      ["s0", "group 1"],
      ["s1", "group 1"],
      ["s2", "group 2"],
      ["s3", "group 2"],
    ],
  );
  assert.ok(rows.some(([, , , here, there]) => here.includes("frozen") && there !== ""));
  // Nine nodes in three rings, none on another.
  assert.deepEqual(await tab.locator("#stage .titles text").allTextContents(), [
    "controller",
    "group 1",
    "group 2",
  ]);
  const places = await tab
    .locator("#stage .node")
    .evaluateAll((nodes) => nodes.map((node) => node.getAttribute("transform")));
  assert.equal(new Set(places).size, 9);
  await tab.getByRole("link", { name: "Open this moment in the simulator" }).click();
  await tab.locator("#events li").first().waitFor();
  await tab.locator("#board td", { hasText: "frozen" }).waitFor();
  assert.deepEqual(await table(tab), rows);
  // What is done there is done to groups: the shards come back.
  await tab.getByLabel("Group", { exact: true }).last().selectOption("2");
  await tab.getByRole("button", { name: "Leave", exact: true }).click();
  for (let press = 0; press < 6; press++) await tab.keyboard.press("+");
  await tab.getByRole("button", { name: "Play", exact: true }).click();
  await tab.waitForFunction(() =>
    [...document.querySelectorAll("#board tbody tr")].every(
      ({ cells }) => cells[2].textContent === "group 1" && cells[3].textContent.includes("served"),
    ),
  );
});

test("a job's tasks say who tried them, and a killed worker changes no count", async (t) => {
  const tab = await visit(t, "lessons.html#job", { reducedMotion: "reduce" });
  await goOn(tab, LESSON_WORDS.job, "end");
  const published = () =>
    tab.getByRole("list", { name: "What was published" }).locator("li").allTextContents();
  const counts = await published();
  assert.ok(counts.length > 10);
  await tab.locator(".task", { hasText: LESSON_WORDS.job.task }).waitFor();
  for (let back = 0; back < 7; back++)
    await tab.getByRole("button", { name: "Back", exact: true }).click();
  await says(tab, LESSON_WORDS.job.says.maps);
  await tab.getByLabel("Worker", { exact: true }).last().selectOption("1");
  await tab.getByRole("button", { name: "Kill", exact: true }).click();
  await tab.locator("#board li", { hasText: "w1 ✕ dead" }).waitFor();
  await tab.getByLabel("Worker", { exact: true }).last().selectOption("2");
  await tab.getByRole("button", { name: "Kill", exact: true }).click();
  for (let press = 0; press < 6; press++) await tab.keyboard.press("+");
  await tab.locator('.task[data-done="true"]').waitFor();
  assert.deepEqual(await published(), counts);
});

test("without the rule the same scene breaks, and says what", async (t) => {
  const tab = await visit(t, "lessons.html#figure8", { reducedMotion: "reduce" });
  const { says: told, without } = LESSON_WORDS.figure8;
  await says(tab, told.start);
  await tab.getByRole("button", { name: without }).click();
  await tab.getByRole("button", { name: "With the rule" }).waitFor();
  await says(tab, told.start);
  for (const step of ["a", "b", "c"]) {
    await tab.getByRole("button", { name: "Next", exact: true }).click();
    await says(tab, told[step]);
  }
  for (let press = 0; press < 4; press++) await tab.keyboard.press("+");
  await tab.keyboard.press("Space");
  await tab.locator('.says[data-state="broken"]', { hasText: "Commit by counting" }).waitFor();
});

accessible("lessons.html#replication", async (tab) => {
  await says(tab, LESSON_WORDS.replication.says.asks);
});

accessible("lessons.html#shards", async (tab) => {
  await says(tab, LESSON_WORDS.shards.says.groups);
});

accessible("lessons.html#job", async (tab) => {
  await says(tab, LESSON_WORDS.job.says.waits);
});
