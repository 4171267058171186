// Reading what was: as of each revision of a history.

import { all, grant, prefix, put, range, remove, revoke, scene, txn } from "../terms.mjs";

const history = [
  put("a", "1"), // 1
  put("b", "1"), // 2
  put("a", "2"), // 3
  remove("a"), // 4
  put("c", "1"), // 5
  put("a", "3"), // 6
  remove("\0", "\0"), // 7
  put("b", "2"), // 8
  txn([], [put("d", "1"), put("b", "3"), put("a", "4")]), // 9
  put("d", "2"), // 10
];

const revisions = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

export const pastChapter = [
  scene(
    "every revision of a history",
    history,
    revisions.map((revision) => all({ revision })),
    revisions.map((revision) => range("a", undefined, { revision })),
    range("a", undefined, { revision: 11 }),
    all({ revision: 1000 }),
    all({ revision: 0 }),
    all(),
  ),
  scene(
    "the options of reading, in the past",
    history,
    all({ revision: 6, limit: 1 }),
    all({ revision: 6, limit: 3 }),
    all({ revision: 6, keys_only: true }),
    all({ revision: 6, count_only: true }),
    all({ revision: 7, count_only: true }),
    all({ revision: 6, sort_target: "MOD", sort_order: "DESCEND" }),
    all({ revision: 6, sort_target: "CREATE", sort_order: "ASCEND", limit: 2 }),
    all({ revision: 9, min_mod_revision: 9 }),
    all({ revision: 9, max_create_revision: 8 }),
    range("b", "d", { revision: 6 }),
    range("b", "\0", { revision: 9 }),
    prefix("d", { revision: 9 }),
    prefix("d", { revision: 10 }),
    range("b", "a", { revision: 6 }),
    range("never", undefined, { revision: 6 }),
  ),
  scene(
    "leases of the past",
    grant("one", 600),
    put("a", "1", { lease: "one" }),
    put("a", "2"),
    put("a", "3", { lease: "one" }),
    revoke("one"),
    [1, 2, 3, 4].map((revision) => range("a", undefined, { revision })),
  ),
];
