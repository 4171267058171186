// The planted mistakes: each still fits the code, and some of them are hunted.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { hunt } from "./hunt.mjs";
import { planted } from "./planted.mjs";

test("each planted mistake fits the code, in one place", () => {
  const names = new Set();
  for (const [name, file, from, to] of planted) {
    const text = readFileSync(new URL(`../../pkg/src/recipes/${file}`, import.meta.url), "utf8");
    assert.equal(text.split(from).length, 2, name);
    assert.notEqual(from, to, name);
    names.add(name);
  }
  assert.equal(names.size, planted.length, "names are different");
});

for (const name of ["first: no wait", "queue: effects twice", "task: loss not told"]) {
  test(`the tests find: ${name}`, () => {
    const found = hunt(planted.find(([it]) => it === name));
    assert.ok(found.length > 0);
  });
}
