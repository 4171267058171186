// The comparison itself: what must make it complain.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compare } from "./compare.mjs";
import { DIFFERENCES, ERRORS } from "./differences.mjs";
import { read, written } from "./recording.mjs";
import { differs, put, range, scene } from "./terms.mjs";

/** The complaints about one step; those about what never came up are left out. */
function about(step, their, our) {
  const scenes = [{ name: "a", steps: [step] }];
  return compare(scenes, { a: [their] }, { a: [our] }).complaints.filter((one) =>
    one.startsWith("a, step 1"),
  );
}

test("equal answers are equal whatever the order of their fields", () => {
  assert.deepEqual(about(range("a"), { count: 1, more: false }, { more: false, count: 1 }), []);
});

test("each field counts", () => {
  const answer = { revision: 1, kvs: [{ key: "a", mod: 1 }], more: false };
  const others = [
    { ...answer, revision: 2 },
    { ...answer, kvs: [{ key: "a", mod: 2 }] },
    { ...answer, kvs: [] },
    { ...answer, further: 1 },
    { revision: 1, more: false },
    { error: "COMPACTED" },
  ];
  for (const other of others) assert.equal(about(range("a"), answer, other).length, 1);
});

test("errors are compared by what they mean", () => {
  for (const [their, our] of Object.entries(ERRORS)) {
    assert.deepEqual(about(put("a"), { error: their }, { error: our }), []);
    assert.equal(about(put("a"), { error: their }, { error: "TIMEOUT" }).length, 1);
    assert.equal(about(put("a"), { error: their }, {}).length, 1);
  }
  assert.equal(about(put("a"), {}, { error: "COMPACTED" }).length, 1);
});

test("a difference that is named must be there, and be that one", () => {
  const step = differs("negative", range("a", undefined, { limit: -1 }));
  assert.deepEqual(about(step, { count: 1 }, { error: "INVALID_ARGUMENT" }), []);
  assert.equal(about(step, { count: 1 }, { count: 1 }).length, 1);
  assert.equal(about(step, { count: 1 }, { error: "TIMEOUT" }).length, 1);
  assert.equal(about(step, { error: "ErrEmptyKey" }, { error: "INVALID_ARGUMENT" }).length, 1);
  const other = differs("size-limit", put("a"), { error: "KEY_TOO_LARGE" });
  assert.deepEqual(about(other, {}, { error: "KEY_TOO_LARGE" }), []);
  assert.equal(about(other, {}, { error: "VALUE_TOO_LARGE" }).length, 1);
  assert.equal(about(differs("nonsense", put("a")), {}, { error: "TIMEOUT" }).length, 1);
});

test("a difference, or an error, that never comes up is a complaint, and so is an answer that lacks", () => {
  const never = Object.keys(DIFFERENCES).length + Object.keys(ERRORS).length;
  assert.equal(compare([], {}, {}).complaints.length, never);
  const scenes = [{ name: "a", steps: [put("a")] }];
  assert.equal(compare(scenes, { a: [{}] }, {}).complaints.length, never + 1);
  assert.equal(compare(scenes, { a: [{}] }, { a: [] }).complaints.length, never + 1);
});

test("a recording is read back, and refused when other questions were recorded", () => {
  const named = (...steps) => ({ name: "a", ...scene("a", ...steps) });
  const scenes = [named(put("a", "1"), range("a"))];
  const recorded = JSON.parse(written("3", scenes, { a: [{}, { count: 1 }] }));
  assert.deepEqual(read(recorded, scenes), { etcd: "3", answers: { a: [{}, { count: 1 }] } });
  // What ours answers is no question.
  read(recorded, [named(differs("negative", put("a", "1")), range("a"))]);
  assert.throws(() => read(recorded, [named(put("a", "2"), range("a"))]), /record again.*\n {2}a/);
  assert.throws(() => read(recorded, [named(put("a", "1"))]), /record again/);
  assert.throws(() => read(recorded, []), /record again/);
});
