// The benchmark of words, small: all that is measured finds the same words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { measureMapReduce } from "../bench/mapreduce.mjs";

test("jobs, plain JavaScript and coreutils count the same words of the benchmark's text", async () => {
  const names = ["builtIn2", "user", "javascript", "coreutils"];
  const { tables, missing } = await measureMapReduce([1], 1, names);
  assert.deepEqual(
    missing.filter((one) => !one.startsWith("memory")),
    [],
  );
  const [{ words, rows }] = tables;
  assert.ok(words > 10_000, `${words} different words`);
  assert.deepEqual(
    rows.map(({ name }) => name),
    names,
  );
});
