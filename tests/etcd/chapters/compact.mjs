// Forgetting the past.

import { all, compact, differs, events, put, range, remove, scene, txn, watch } from "../terms.mjs";

const history = [
  put("a", "1"), // 1
  put("b", "1"), // 2
  put("a", "2"), // 3
  remove("b"), // 4
  put("c", "1"), // 5
  put("a", "3"), // 6
  put("b", "2"), // 7
];

export const compactChapter = [
  scene(
    "what can be read",
    history,
    compact(3),
    [1, 2, 3, 4, 5, 6, 7].map((revision) => all({ revision })),
    all({ revision: 8 }),
    all(),
    put("a", "4"),
    range("a", undefined, { revision: 2 }),
    range("a", undefined, { revision: 8 }),
    all({ revision: 2, count_only: true }),
    all({ revision: 2, limit: 1 }),
  ),
  scene(
    "which revisions can be compacted",
    history,
    compact(4),
    compact(4),
    compact(3),
    compact(8),
    compact(1000),
    compact(7),
    compact(7),
    all({ revision: 6 }),
    all({ revision: 7 }),
    all(),
  ),
  scene(
    "nothing that is there is lost",
    put("old", "1"),
    put("gone", "1"),
    remove("gone"),
    put("other", "1"),
    compact(4),
    all(),
    range("old", undefined, { revision: 4 }),
    range("gone", undefined, { revision: 4 }),
    range("gone", undefined, { revision: 3 }),
    put("gone", "2"),
    range("gone"),
  ),
  scene(
    "in a transaction",
    history,
    compact(5),
    txn([], [put("x", "1"), range("a", undefined, { revision: 4 })]),
    txn([], [put("x", "1"), range("a", undefined, { revision: 5 })]),
    txn([], [range("a", undefined, { revision: 3 })], []),
    range("x"),
  ),
  scene(
    "a watch from before",
    history,
    compact(5),
    watch("late", "\0", "\0", { start_revision: 2 }),
    differs("watch-compacted", events("late", 1), { error: "COMPACTED", resumeFrom: 6 }),
    watch("next", "\0", "\0", { start_revision: 6, prev_kv: true }),
    events("next", 2),
    watch("at", "\0", "\0", { start_revision: 5 }),
    differs("watch-compacted", events("at", 3), { error: "COMPACTED", resumeFrom: 6 }),
  ),
];
