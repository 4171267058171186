// Who wants no motion, in the simulator and the lessons: nothing glides; and what is paused stands still for all.

import assert from "node:assert/strict";
import { test } from "node:test";

import { openPages } from "./visit.mjs";

const { visit } = openPages();

/** Messages stand at one of three places of their way: between two of five nodes, or a node and the clients, there or back. */
const PLACES = 3 * (5 * 4 + 5 * 2);
/** In what parts a timer drains. */
const PARTS = 8;

/** Notes where the canvas shows messages, and how much timers have left. */
const noting = (context) =>
  context.addInitScript(() => {
    globalThis.drawn = { places: new Set(), timers: new Set() };
    const { prototype } = CanvasRenderingContext2D;
    const { translate, arc } = prototype;
    prototype.translate = function (x, y) {
      // It goes there, and back.
      if (x > 0) globalThis.drawn.places.add(`${x.toFixed(2)} ${y.toFixed(2)}`);
      return translate.call(this, x, y);
    };
    prototype.arc = function (x, y, radius, start, end) {
      globalThis.drawn.timers.add(((end - start) / (2 * Math.PI)).toFixed(4));
      return arc.call(this, x, y, radius, start, end);
    };
  });

const drawn = (tab) =>
  tab.evaluate(() => {
    const { places, timers } = globalThis.drawn;
    return { places: places.size, timers: [...timers].map(Number) };
  });

const slider = (tab) => tab.getByRole("slider", { name: "Moment" });

test("messages and timers glide for those who want it, and for nobody else", async (t) => {
  const moving = await visit(t, "simulator.html", { prepare: noting });
  await moving.waitForFunction((enough) => globalThis.drawn.places.size > enough, 2 * PLACES);
  const until = Number(await slider(moving).inputValue());
  assert.ok((await drawn(moving)).timers.some((left) => !Number.isInteger(left * PARTS)));
  // The same world, as far.
  const still = await visit(t, "simulator.html", { reducedMotion: "reduce", prepare: noting });
  await still.waitForFunction(
    (until) => document.querySelector("input[type=range]").valueAsNumber >= until,
    until,
  );
  const { places, timers } = await drawn(still);
  assert.ok(places > 0 && places <= PLACES, `${places} places`);
  assert.ok(timers.length > 2);
  assert.deepEqual(
    timers.filter((left) => !Number.isInteger(left * PARTS)),
    [],
  );
  assert.equal(await still.evaluate(() => document.getAnimations().length), 0);
});

test("what is paused stands still, whoever looks", async (t) => {
  const tab = await visit(t, "simulator.html", { prepare: noting });
  await tab.waitForFunction(() => globalThis.drawn.places.size > 10);
  await tab.keyboard.press("Space");
  await tab.getByRole("button", { name: "Play", exact: true }).waitFor();
  const before = await drawn(tab);
  await tab.evaluate(async () => {
    for (let frame = 0; frame < 40; frame++) await new Promise(requestAnimationFrame);
  });
  assert.deepEqual(await drawn(tab), before);
  assert.equal(await tab.evaluate(() => document.getAnimations().length), 0);
});

for (const [reducedMotion, isThere] of [
  ["no-preference", false],
  ["reduce", true],
]) {
  const does = isThere ? "jumps to" : "plays on to";
  test(`in a lesson Next ${does} what is said next: ${reducedMotion}`, async (t) => {
    const tab = await visit(t, "lessons.html#election", { reducedMotion });
    await tab.locator(".says", { hasText: /^Three nodes have just started/ }).waitFor();
    const seen = await tab.evaluate(async () => {
      const next = [...document.querySelectorAll("#telling button")].find(
        ({ textContent }) => textContent === "Next",
      );
      const said = document.querySelector(".says").textContent;
      next.click();
      for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
      return {
        isThere: document.querySelector(".says").textContent !== said,
        plays: document.querySelector(".transport [aria-label=Pause]") !== null,
        animations: document.getAnimations().length,
      };
    });
    assert.deepEqual(seen, { isThere, plays: !isThere, animations: 0 });
  });
}
