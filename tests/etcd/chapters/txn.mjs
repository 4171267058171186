// Several things as one: conditions, branches, what operations see of each other, and what is refused.

import {
  all,
  differs,
  grant,
  prefix,
  prefixEnd,
  put,
  range,
  remove,
  scene,
  txn,
  when,
} from "../terms.mjs";

const yes = [range("yes")];
const no = [range("no"), range("nope")];
const none = { kvs: [], count: 0, more: false };
const large = "l".repeat(900_000);
const relations = ["EQUAL", "NOT_EQUAL", "GREATER", "LESS"];

/** Whether conditions on a key hold, for each relation to each of these. */
const each = (key, target, values, range_end) =>
  relations.flatMap((relation) =>
    values.map((value) => txn([when(key, target, relation, value, range_end)], yes, no)),
  );

const puts = (from, count) => Array.from({ length: count }, (_, n) => put(`k${from + n}`, "1"));

const nested = (depth) =>
  depth === 0 ? put("deep", "1") : txn([], [range("a"), nested(depth - 1)], []);

export const txnChapter = [
  scene(
    "conditions on a key",
    put("x", "1"),
    put("a", "l"),
    put("a", "m"),
    put("a", "mm"),
    each("a", "version", [2, 3, 4]),
    each("a", "create", [1, 2, 3]),
    each("a", "mod", [3, 4, 5]),
    each("a", "value", ["", "m", "mm", "mm\0", "n"]),
  ),
  scene(
    "conditions on a lease",
    grant("one", 600, 1001),
    grant("two", 600, 1002),
    put("a", "1", { lease: "one" }),
    put("b", "1"),
    each("a", "lease", [null, "one", "two"]),
    each("b", "lease", [null, "one"]),
  ),
  scene(
    "conditions on a key that is not there",
    put("b", "1"),
    each("a", "version", [0, 1]),
    each("a", "create", [0, 1]),
    each("a", "mod", [0, 1]),
    each("a", "lease", [null]),
    each("a", "value", ["", "1"]),
    differs("negative", txn([when("a", "version", "GREATER", -1)], yes, no)),
  ),
  scene(
    "conditions on ranges",
    put("a/1", "x"),
    put("a/2", "x"),
    put("a/2", "x"),
    put("b/1", "y"),
    each("a/", "version", [1, 3], prefixEnd("a/")),
    each("a/", "create", [0, 3], prefixEnd("a/")),
    each("a/", "value", ["x", "y"], prefixEnd("a/")),
    each("none/", "mod", [0, 1], prefixEnd("none/")),
    each("none/", "value", [""], prefixEnd("none/")),
    each("b/", "value", ["y"], "\0"),
    each("\0", "version", [0], "\0"),
  ),
  scene(
    "all conditions must hold",
    put("a", "1"),
    txn([when("a", "value", "EQUAL", "1"), when("b", "version", "EQUAL", 0)], yes, no),
    txn([when("a", "value", "EQUAL", "1"), when("b", "version", "EQUAL", 1)], yes, no),
    txn([when("a", "value", "EQUAL", "2"), when("b", "version", "EQUAL", 0)], yes, no),
    txn([when("a", "value", "EQUAL", "1"), when("a", "version", "LESS", 2)], yes, no),
    txn([], yes, no),
  ),
  scene(
    "what is done",
    txn([], [put("a", "1"), put("b", "1"), put("c", "1")]),
    all(),
    txn([when("a", "version", "EQUAL", 1)], [put("a", "2"), remove("b")], [remove("\0", "\0")]),
    txn(
      [when("a", "version", "EQUAL", 1)],
      [remove("\0", "\0")],
      [put("d", "1", { prev_kv: true })],
    ),
    all(),
    txn([], [remove("a", undefined, { prev_kv: true }), put("c", "2", { prev_kv: true })]),
    txn([], [remove("\0", "\0", { prev_kv: true })]),
    all(),
  ),
  scene(
    "a transaction that changes nothing makes no revision",
    put("a", "1"),
    txn([], [], []),
    txn([when("a", "version", "EQUAL", 9)], [put("a", "2")], []),
    txn([], [range("a"), remove("b"), remove("b", "c")]),
    txn([], [put("a", "2")]),
    txn([], [remove("b"), put("a", "3"), remove("c")]),
    range("a"),
  ),
  scene(
    "each operation sees those before it",
    put("a", "1"),
    txn([], [range("a"), put("a", "2"), range("a"), prefix("a", { count_only: true })]),
    txn([], [remove("a"), range("a"), put("b", "1"), all(), remove("c")]),
    txn([], [put("c", "1"), range("c", undefined, { revision: 3 }), all({ limit: 1 })]),
    txn([], [put("d", "1"), all({ sort_target: "MOD", sort_order: "DESCEND" })]),
    txn([], [put("e", "1"), all({ min_mod_revision: 6 }), all({ keys_only: true })]),
    all(),
  ),
  scene(
    "reading in a transaction, in every option",
    put("a", "2"),
    put("b", "1"),
    put("a", "3"),
    txn(
      [],
      [
        all({ revision: 2 }),
        all({ sort_target: "VALUE", sort_order: "ASCEND" }),
        all({ limit: 1 }),
        all({ limit: 1, sort_target: "CREATE", sort_order: "DESCEND" }),
        all({ count_only: true }),
        all({ max_mod_revision: 2 }),
        range("a", "b"),
        range("b", "a"),
      ],
    ),
  ),
  scene(
    "transactions within",
    put("a", "1"),
    txn([], [txn([when("a", "version", "EQUAL", 1)], [put("b", "1")], [put("c", "1")])]),
    txn([], [txn([when("a", "version", "EQUAL", 2)], [put("b", "1")], [put("c", "1")])]),
    txn([], [txn([], [txn([], [put("d", "1"), range("d")])]), range("d")]),
    txn([], [txn([], [range("a")]), txn([], [remove("b")])]),
    txn([when("a", "version", "EQUAL", 7)], [txn([], [put("x", "1")])], [txn([], [put("y", "1")])]),
    txn([], [put("n", "1"), txn([when("a", "version", "EQUAL", 1)], yes, no)]),
    all(),
  ),
  scene(
    "conditions of a transaction within, on what the one around it did",
    differs(
      "nested-conditions",
      txn([], [put("n", "1"), txn([when("n", "version", "EQUAL", 1)], yes, no)]),
      {
        revision: 1,
        succeeded: true,
        responses: [{ put: {} }, { txn: { succeeded: true, responses: [{ range: none }] } }],
      },
    ),
  ),
  scene(
    "keeping values and leases",
    grant("one", 600),
    put("a", "1"),
    txn([], [put("a", undefined, { ignore_value: true, lease: "one", prev_kv: true })]),
    txn([], [put("a", "2", { ignore_lease: true }), put("b", "1", { lease: "one" })]),
    all(),
    txn([], [put("c", "1"), put("x", undefined, { ignore_value: true })]),
    txn([], [put("c", "1"), put("x", "1", { ignore_lease: true })]),
    all(),
  ),
  scene(
    "if an operation fails, nothing happened",
    put("a", "1"),
    txn([], [put("b", "1"), range("a", undefined, { revision: 99 })]),
    txn([], [put("b", "1"), put("c", "1", { lease: "unknown" })]),
    txn([], [put("b", "1"), txn([], [put("c", "1", { lease: "unknown" })])]),
    txn([], [put("b", "1"), put("", "1")]),
    txn([], [range("")]),
    txn([when("", "version", "EQUAL", 0)], yes),
    txn([], [remove("")]),
    all(),
    // What is in the other branch is not done, and yet its arguments must be right.
    txn([], [put("b", "1")], [put("", "1")]),
    all(),
  ),
  scene(
    "what the other branch would have done wrong",
    put("a", "1"),
    txn([], [range("a")], [range("a", undefined, { revision: 99 })]),
    txn([], [range("a")], [put("c", "1", { lease: "unknown" })]),
    txn([], [range("a")], [put("c", undefined, { ignore_value: true })]),
    all(),
  ),
  scene(
    "a key may be changed once",
    put("a", "1"),
    put("b", "1"),
    txn([], [put("x", "1"), put("x", "2")]),
    txn([], [put("a", "2"), remove("a")]),
    txn([], [remove("a"), put("a", "2")]),
    txn([], [remove("a", "c"), put("b", "2")]),
    txn([], [put("x", "1"), remove("a", "z")]),
    txn([], [put("x", "1"), txn([], [put("x", "2")])]),
    txn([], [txn([], [put("x", "1")]), put("x", "2")]),
    txn([], [txn([], [put("x", "1")]), txn([], [put("x", "2")])]),
    txn([], [], [put("y", "1")]),
    all(),
    txn([], [remove("a"), remove("a"), remove("a", "c")]),
    txn([when("b", "version", "EQUAL", 0)], [put("z", "1")], [put("z", "2")]),
    all(),
  ),
  scene(
    "a key that is not there may be removed and stored",
    differs("duplicate-key", txn([], [remove("x"), put("x", "1")]), {
      revision: 1,
      succeeded: true,
      responses: [{ delete: { deleted: 0 } }, { put: {} }],
    }),
  ),
  scene(
    "a range that does not hold the key yet may be removed before it is stored",
    put("a", "1"),
    differs("duplicate-key", txn([], [remove("a", "c"), put("b", "1")]), {
      revision: 2,
      succeeded: true,
      responses: [{ delete: { deleted: 1 } }, { put: {} }],
    }),
  ),
  scene(
    "a key that the other branch changes twice",
    differs("duplicate-key", txn([], [put("x", "1")], [put("y", "1"), put("y", "2")]), {
      revision: 1,
      succeeded: true,
      responses: [{ put: {} }],
    }),
  ),
  scene(
    "a key that is stored, and removed by a range without an end",
    put("a", "1"),
    differs("open-end", txn([], [put("x", "1"), remove("a", "\0")])),
  ),
  scene(
    "how many operations",
    txn([], puts(0, 128)),
    all({ count_only: true }),
    txn([], puts(0, 129)),
    txn([], [], puts(0, 129)),
    txn(
      Array.from({ length: 128 }, (_, n) => when(`k${n}`, "version", "EQUAL", 1)),
      yes,
      no,
    ),
    txn(
      Array.from({ length: 129 }, (_, n) => when(`k${n}`, "version", "EQUAL", 1)),
      yes,
      no,
    ),
    txn([], [txn([], puts(0, 127))]),
    txn([], [txn([], puts(0, 128))]),
    all({ count_only: true, min_mod_revision: 2 }),
  ),
  scene(
    "how many operations, of transactions beside each other",
    differs("txn-limit", txn([], [txn([], puts(0, 70)), txn([], puts(100, 70))])),
  ),
  scene(
    "how large",
    txn([], [put("a", large), range("a", undefined, { keys_only: true })]),
    differs("request-limit", txn([], [put("b", large), put("c", large)]), {
      revision: 2,
      succeeded: true,
      responses: [{ put: {} }, { put: {} }],
    }),
  ),
  scene("larger", txn([], [put("a", large), put("b", large), put("c", large)]), all()),
  scene(
    "how large the answer",
    put("a", large),
    put("b", large),
    put("c", large),
    txn([], [range("a"), range("b")]),
    differs("answer-limit", txn([], [range("a"), range("b"), range("c")]), {
      error: "REPLY_TOO_LARGE",
    }),
    remove("a", "c", { prev_kv: true }),
    all({ keys_only: true }),
  ),
  scene(
    "a removal that gives back too much",
    put("a", large),
    put("b", large),
    put("c", large),
    differs("answer-limit", remove("a", "\0", { prev_kv: true }), { error: "REPLY_TOO_LARGE" }),
  ),
  scene("how deep", txn([], [nested(6)], []), range("deep")),
  scene("deeper", differs("txn-limit", txn([], [nested(20)], []))),
];
