// Removing keys, one and many.

import { all, prefixEnd, put, range, remove, scene } from "../terms.mjs";

const some = ["a", "a/1", "a/2", "a0", "b", "c"].map((key) => put(key, key));

export const deleteChapter = [
  scene(
    "one key",
    remove("a"),
    put("a", "1"),
    remove("a"),
    remove("a"),
    range("a"),
    put("a", "2"),
    remove("a", undefined, { prev_kv: true }),
    remove("a", undefined, { prev_kv: true }),
    put("b", ""),
    remove("b", undefined, { prev_kv: true }),
    all(),
  ),
  scene(
    "a range is one revision",
    some,
    remove("a/", prefixEnd("a/")),
    all(),
    remove("a/", prefixEnd("a/")),
    remove("a", "b"),
    all(),
    put("b", "again"),
    remove("b", "\0"),
    all(),
  ),
  scene(
    "what was there",
    some,
    remove("a/1", "b", { prev_kv: true }),
    remove("a/1", "b", { prev_kv: true }),
    remove("x", "\0", { prev_kv: true }),
    remove("a", prefixEnd("a"), { prev_kv: true }),
    remove("\0", "\0", { prev_kv: true }),
    remove("\0", "\0", { prev_kv: true }),
    all(),
  ),
  scene(
    "ranges that are empty",
    some,
    remove("b", "a"),
    remove("b", "b"),
    remove("b\0", "c"),
    all({ count_only: true }),
  ),
];
