// docs/checklist.md names a test for each trap, and the test exists.

import assert from "node:assert/strict";
import test from "node:test";

import { source } from "../../scripts/lib/copy.mjs";
import { hasTest } from "../../scripts/lib/mutants.mjs";

const TRAPS = 71;

test("each trap has a test that exists", () => {
  const rows = [...source("docs/checklist.md").matchAll(/^\| (\d+) \|[^|]+\| (.+) \|$/gm)];
  const numbers = rows.map(([, number]) => Number(number));
  assert.deepEqual(
    numbers,
    Array.from({ length: TRAPS }, (_, at) => at + 1),
  );
  for (const [, number, tests] of rows) {
    const named = [...tests.matchAll(/`([^`]+?)::(\w+)`/g)];
    if (named.length === 0) assert.match(tests, /^open: .+ yet$/, `trap ${number}`);
    for (const [, place, name] of named) {
      const file = place.includes("/") ? place : `crate/raft/tests/one_node/${place}.rs`;
      assert.ok(hasTest(file, name), `trap ${number}: ${file} has no ${name}`);
    }
  }
});
