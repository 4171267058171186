// The visitor's theme: kept where that is possible, and never in the way.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./load.mjs";

const { remember, remembered, themeOf } = await load("site/theme");

function storage() {
  const kept = new Map();
  return {
    kept,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
}

test("a theme is kept; that of the system leaves nothing behind", () => {
  const one = storage();
  remember("dark", () => one);
  assert.equal(
    remembered(() => one),
    "dark",
  );
  remember("system", () => one);
  assert.equal(one.kept.size, 0);
});

test("what is no theme is the system's", () => {
  assert.deepEqual(["light", "dark", "blue", null].map(themeOf), [
    "light",
    "dark",
    "system",
    "system",
  ]);
});

test("a browser that forbids storage is no error", () => {
  const forbidden = () => {
    throw new DOMException("forbidden", "SecurityError");
  };
  assert.equal(remembered(forbidden), "system");
  remember("dark", forbidden);
});
