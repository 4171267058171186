// What is refused, and that it changes nothing.

import { all, compact, differs, put, range, remove, revoke, scene, when, txn, grant } from "../terms.mjs";

export const errorsChapter = [
  scene(
    "a key without bytes",
    put("", "1"),
    put("", "1", { prev_kv: true }),
    range(""),
    range("", undefined, { revision: 1 }),
    remove(""),
    remove("", undefined, { prev_kv: true }),
    txn([when("", "version", "EQUAL", 0)], [], []),
    txn([], [range("")]),
    txn([], [remove("")]),
    all(),
  ),
  scene(
    "a range from the key without bytes",
    put("a", "1"),
    differs("empty-start", range("", "\0", { count_only: true }), {
      revision: 1,
      kvs: [],
      count: 1,
      more: false,
    }),
    differs("empty-start", remove("", "b"), { revision: 2, deleted: 1 }),
  ),
  scene(
    "keeping and giving at once",
    grant("one", 600),
    put("a", "1", { lease: "one" }),
    differs("keep-and-give", put("a", "2", { ignore_value: true })),
    differs("keep-and-give", put("a", "2", { ignore_lease: true, lease: "one" })),
    range("a"),
    revoke("one"),
  ),
  scene(
    "revisions that are not there",
    range("a", undefined, { revision: 5 }),
    compact(5),
    put("a", "1"),
    range("a", undefined, { revision: 2 }),
    differs("negative", range("a", undefined, { revision: -1 })),
    range("a"),
  ),
  scene(
    "after a refusal all is as it was",
    put("a", "1"),
    put("a", "2", { lease: "unknown" }),
    txn([], [put("a", "3"), put("b", "1", { lease: "unknown" })]),
    txn([], [put("a", "3"), put("a", "4")]),
    put("b", undefined, { ignore_value: true }),
    compact(99),
    all(),
    put("b", "1"),
    all(),
  ),
];
