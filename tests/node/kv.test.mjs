// The store beyond single keys: the past, ranges in every order, transactions, compaction, codecs.

import assert from "node:assert/strict";
import test from "node:test";

import { ArgumentError, StoreError } from "quorate";
import { failure, open } from "./help.mjs";

test("a key is read as of any revision that is kept", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const first = await kv.put("a", 1);
  const second = await kv.put("a", 2, { previous: true });
  assert.deepEqual(second.previous, {
    value: 1,
    createRevision: first.revision,
    modRevision: first.revision,
    version: 1,
    lease: 0,
  });
  assert.equal((await kv.put("b", 1, { previous: true })).previous, null);
  assert.equal(first.previous, undefined);
  const { revision } = await kv.delete("a");
  const at = (when) => kv.get("a", { revision: when });
  assert.equal((await at(first.revision)).value, 1);
  assert.equal((await at(second.revision)).value, 2);
  assert.equal(await at(revision), null);
  const then = await kv.range({ prefix: "" }, { revision: second.revision });
  assert.deepEqual(
    then.entries.map(({ key, value }) => [key, value]),
    [["a", 2]],
  );
  await failure(at(revision + 1), "FUTURE_REVISION");
  assert.equal((await kv.get("b", { serializable: true })).value, 1);
});

test("a range comes in every order, and within bounds of revisions", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  for (const [key, value] of [
    ["c", "1"],
    ["a", "3"],
    ["b", "2"],
    ["a", "4"],
  ])
    await kv.put(key, value);
  const keys = async (options) => {
    const { entries, count } = await kv.range(options);
    assert.equal(count, 3, "of all, whatever is left out");
    return entries.map(({ key }) => key).join("");
  };
  assert.equal(await keys({}), "abc");
  assert.equal(await keys({ descending: true }), "cba");
  assert.equal(await keys({ orderBy: "createRevision" }), "cab");
  assert.equal(await keys({ orderBy: "modRevision" }), "cba");
  assert.equal(await keys({ orderBy: "version", descending: true }).then((it) => it[0]), "a");
  assert.equal(await keys({ orderBy: "value" }), "cba");
  assert.equal(await keys({ orderBy: "modRevision", descending: true, limit: 1 }), "a");
  assert.equal(await keys({ minModRevision: 3 }), "ab");
  assert.equal(await keys({ maxModRevision: 3 }), "bc");
  assert.equal(await keys({ minCreateRevision: 2, maxCreateRevision: 2 }), "a");
  const { entries } = await kv.range({ only: "keys", orderBy: "modRevision" });
  assert.deepEqual(entries[0].value, undefined);
  const rest = async (options) => {
    const { more, next } = await kv.range(options);
    return [more, next && new TextDecoder().decode(next)];
  };
  assert.deepEqual(await rest({ limit: 2 }), [true, "c"]);
  assert.deepEqual(await rest({ limit: 3 }), [false, undefined]);
  assert.deepEqual(await rest({ limit: 2, descending: true }), [true, undefined]);
  assert.deepEqual(await rest({ limit: 2, orderBy: "value" }), [true, undefined]);
  assert.deepEqual(await rest({ limit: 2, minModRevision: 3 }), [false, undefined]);
  assert.deepEqual(await rest({ limit: 1, minModRevision: 3 }), [true, "b"]);
});

test("a transaction takes one branch, in one revision, and tells what each operation did", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  await kv.put("from", 10);
  await kv.put("to", 1);
  const { modRevision } = await kv.get("from");
  const moved = await kv.txn({
    if: [
      { key: "from", value: 10 },
      { key: "from", modRevision },
      { key: "none", version: 0 },
      { prefix: "t", createRevision: 0, is: ">" },
    ],
    do: [
      { put: "from", value: 3, previous: true },
      { increment: "to", by: 7 },
      { get: "from" },
      { range: { prefix: "t" } },
      { delete: "none", previous: true },
      { txn: { if: [{ key: "to", value: 8 }], do: [{ put: "log/1", value: "moved" }] } },
    ],
    else: [{ get: "from" }],
  });
  assert.equal(moved.succeeded, true);
  const [put, sum, got, range, deleted, nested] = moved.results;
  assert.deepEqual(Object.keys(put).sort(), ["previous", "type"]);
  assert.equal(put.previous.value, 10);
  assert.equal(sum.value, 8);
  assert.deepEqual([got.entry.value, got.entry.modRevision], [3, moved.revision]);
  assert.deepEqual(
    range.entries.map(({ value }) => value),
    [8],
  );
  assert.deepEqual([deleted.deleted, deleted.previous], [0, []]);
  assert.deepEqual([nested.succeeded, nested.results[0].type], [true, "put"]);
  const again = await kv.txn({
    if: [{ key: "from", value: 10 }],
    do: [{ put: "from", value: 0 }],
    else: [{ get: "from" }],
  });
  assert.deepEqual([again.succeeded, again.results[0].entry.value], [false, 3]);
  assert.equal(again.revision, moved.revision, "nothing changed");
  assert.deepEqual(await kv.txn({}), { succeeded: true, revision: moved.revision, results: [] });
});

test("a transaction that fails changes nothing", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  await kv.put("text", "word");
  const before = await kv.range();
  const first = { put: "a", value: 1 };
  for (const [code, operations] of [
    ["NOT_AN_INTEGER", [first, { increment: "text" }]],
    ["DUPLICATE_KEY", [first, { put: "a", value: 2 }]],
    ["LEASE_NOT_FOUND", [first, { put: "b", value: 1, lease: 77 }]],
    ["KEY_NOT_FOUND", [first, { attach: "none", lease: 0 }]],
    ["FUTURE_REVISION", [first, { range: {}, revision: 99 }]],
    ["TOO_MANY_OPERATIONS", Array.from({ length: 129 }, (_, at) => ({ get: `k${at}` }))],
  ]) {
    const error = await failure(kv.txn({ do: operations }), code);
    assert.equal(error.outcome ?? "not-applied", "not-applied", code);
  }
  let deep = { do: [first] };
  for (let depth = 0; depth < 8; depth++) deep = { do: [{ txn: deep }] };
  await failure(kv.txn(deep), "TOO_MANY_OPERATIONS");
  const value = "x".repeat(1 << 20);
  await kv.as("utf8").put("large/1", value);
  await kv.as("utf8").put("large/2", value);
  const large = { range: { prefix: "large/1" } };
  await failure(kv.txn({ do: [large, { get: "large/1" }, { get: "large/2" }] }), "REPLY_TOO_LARGE");
  await kv.deleteRange({ prefix: "large/" });
  assert.deepEqual((await kv.range()).entries, before.entries);
});

test("what makes no sense in a transaction is refused before it is sent", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  for (const txn of [
    undefined,
    null,
    [],
    { when: [] },
    { if: {} },
    { do: "put" },
    { if: [{}] },
    { if: [{ key: "a" }] },
    { if: [{ key: "a", version: 1, value: 2 }] },
    { if: [{ key: "a", version: -1 }] },
    { if: [{ key: "a", version: 0, is: "==" }] },
    { if: [{ version: 0 }] },
    { if: [{ key: "", version: 0 }] },
    { if: [{ key: "a", value: undefined }] },
    { if: [{ key: "a", lease: "1" }] },
    { do: [{}] },
    { do: [null] },
    { do: [{ put: "a" }] },
    { do: [{ put: "a", value: 1, get: "b" }] },
    { do: [{ put: "a", value: 1, ttl: 5 }] },
    { do: [{ get: "a", previous: true }] },
    { do: [{ deleteRange: {} }] },
    { do: [{ append: "a", value: 1 }] },
    { do: [{ increment: "a", by: 0.5 }] },
    { do: [{ txn: { do: [{ get: 1 }] } }] },
  ]) {
    const error = await failure(kv.txn(txn), "INVALID_ARGUMENT");
    assert.ok(error instanceof ArgumentError);
  }
  assert.equal((await kv.range()).revision, 0, "nothing was half done");
});

test("what is compacted is gone, and what came after is not", async (t) => {
  const { kv } = await open(t);
  for (let value = 1; value <= 5; value++) await kv.put("a", value);
  await kv.compact(3);
  const error = await failure(kv.get("a", { revision: 2 }), "COMPACTED");
  assert.ok(error instanceof StoreError);
  assert.equal((await kv.get("a", { revision: 3 })).value, 3);
  await failure(kv.compact(2), "COMPACTED");
  await failure(kv.compact(99), "FUTURE_REVISION");
  const watch = kv.watch("a", { from: 2 });
  const gone = await failure(watch.next(), "COMPACTED");
  assert.equal(gone.resumeFrom, 4);
  assert.deepEqual(await watch.next(), { done: true, value: undefined });
  const resumed = kv.watch("a", { from: gone.resumeFrom });
  assert.equal((await resumed.next()).value.value, 4);
  resumed.close();
});

test("the past is kept as long as was said", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  await kv.retain({ revisions: 3 });
  for (let value = 1; value <= 10; value++) await kv.put("a", value);
  await failure(kv.get("a", { revision: 5 }), "COMPACTED");
  const { revision } = await kv.range();
  assert.equal((await kv.get("a", { revision: revision - 2 })).value, 8);
  for (const odd of [undefined, 5, { revisions: -1 }, { age: 0.5 }, { bytes: "1" }, { keep: 1 }])
    await failure(kv.retain(odd), "INVALID_ARGUMENT");
});

test("a mark of the byte order is part of a key, and of a text", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  await kv.as("utf8").put("\ufeffkey", "\ufefftext");
  const [{ key, value }] = (await kv.as("utf8").range()).entries;
  assert.deepEqual([key, value], ["\ufeffkey", "\ufefftext"]);
  assert.equal((await kv.as("utf8").get(key)).value, value, "a listed key is there");
});

test("a codec of one's own", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const dates = kv.as({
    encode: (date) => new TextEncoder().encode(date.toISOString()),
    decode: (bytes) => new Date(new TextDecoder().decode(bytes)),
  });
  const now = new Date(1_700_000_000_000);
  await dates.put("a", now);
  assert.deepEqual((await dates.get("a")).value, now);
  assert.deepEqual((await dates.range()).entries[0].value, now);
  const { results } = await dates.txn({ if: [{ key: "a", value: now }], do: [{ get: "a" }] });
  assert.deepEqual(results[0].entry.value, now);
  await failure(dates.put("a", "no date"), "ENCODING");
  await failure(dates.append("a", now), "INVALID_ARGUMENT");
  await failure(kv.as({ encode: () => "text", decode: String }).put("a", 1), "INVALID_ARGUMENT");
  for (const odd of [{}, { encode: String }, null, { encode: 1, decode: 2 }])
    assert.throws(() => kv.as(odd), { code: "INVALID_ARGUMENT" });
});
