// Recipes in a page, with workers and IndexedDB: the same in Chromium, in Firefox and in WebKit.

import assert from "node:assert/strict";
import { test } from "node:test";
import { outcomeIn, serveFolder } from "./outcome.mjs";

function check({ told, error }) {
  assert.equal(error, undefined);
  assert.ok(told.permits <= 2, `${told.permits} permits at a time`);
  assert.deepEqual(told, {
    rounds: 18,
    locked: 1,
    permits: told.permits,
    taken: [3, 2, 1, "nothing"],
    counter: 6,
    runs: 2,
    left: 0,
  });
}

for (const [name, outcome] of Object.entries(outcomeIn)) {
  test(`every recipe works in ${name} while the leader is killed`, async (t) => {
    check(await outcome(t, await serveFolder(t, "recipes")));
  });
}
