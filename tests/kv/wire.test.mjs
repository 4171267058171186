// What TypeScript writes and reads is what the core reads and writes: wire.json comes from crate/kv.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { bundle } from "../bundle.mjs";

const {
  wire,
  reply: replies,
  limits,
} = await bundle({ wire: "kv/wire.ts", reply: "kv/reply.ts", limits: "limits.ts" });
const golden = JSON.parse(readFileSync(new URL("wire.json", import.meta.url), "utf8"));

const bytes = (hex) => (hex === null ? undefined : Uint8Array.from(Buffer.from(hex, "hex")));
const hex = (it) => (it === undefined ? null : Buffer.from(it).toString("hex"));
const interval = ({ start, end }) => ({ start: bytes(start), end: bytes(end) });

const projection = (name) => ["Records", "Keys", "Count"].indexOf(name);
const order = (name) => ["Key", "CreateRevision", "ModRevision", "Version", "Value"].indexOf(name);
const relation = (name) => ["Equal", "NotEqual", "Greater", "Less"].indexOf(name);
const targets = ["Version", "CreateRevision", "ModRevision", "Lease", "Value"];

function compare({ range, relation: how, target }) {
  const value = Object.entries(target).find(([name]) => name !== "type")[1];
  return {
    range: interval(range),
    relation: relation(how),
    target: targets.indexOf(target.type),
    with: target.type === "Value" ? bytes(value) : value,
  };
}

/** How the package writes what is described; `undefined` where it never does. */
function encode(it) {
  switch (it.type) {
    case "Put":
      return wire.put(bytes(it.key), bytes(it.value));
    case "Delete":
      return wire.remove(bytes(it.key));
    case "DeleteRange":
      return wire.deleteRange(interval(it.range));
    case "Append":
      return wire.append(bytes(it.key), bytes(it.value));
    case "CompareAndSwap":
      if (it.expected.type === "Revision") return undefined;
      return wire.swap(bytes(it.key), bytes(it.expected.value ?? null), bytes(it.new));
    case "Increment":
      if (!Number.isSafeInteger(Number(it.by))) return undefined;
      return wire.increment(bytes(it.key), Number(it.by));
    case "PutWith":
      return wire.putWith(bytes(it.key), bytes(it.value), it.lease ?? undefined, it.previous);
    case "RemoveRange":
      return wire.removeRange(interval(it.range));
    case "Txn": {
      const all = [...it.then, ...it.otherwise].map(encode);
      if (all.includes(undefined)) return undefined;
      const then = all.slice(0, it.then.length);
      return wire.txn(it.compares.map(compare), then, all.slice(it.then.length));
    }
    case "LeaseGrant":
      return wire.leaseGrant(it.id, it.ttlMs);
    case "LeaseKeepAlive":
      return wire.leaseKeepAlive(it.id);
    case "LeaseRevoke":
      return wire.leaseRevoke(it.id);
    case "Compact":
      return wire.compact(it.revision);
    case "SetRetention":
      return wire.setRetention(it.revisions, it.ms, it.bytes);
    case "Get":
      return wire.get(bytes(it.key));
    case "Range":
      return wire.range(interval(it.range), it.limit, projection(it.projection));
    case "RangeWith": {
      const { at, limit, descending, minMod, maxMod, minCreate, maxCreate } = it.options;
      return wire.rangeWith(interval(it.range), {
        at,
        limit,
        projection: projection(it.options.projection),
        order: order(it.options.order),
        descending,
        bounds: [minMod, maxMod, minCreate, maxCreate],
      });
    }
    case "Changes": {
      const watches = it.watches.map((watch) => ({ ...watch, ...interval(watch.range) }));
      return wire.changes(watches, it.from, bytes(it.key), it.limit, it.bytes);
    }
    case "Lease":
      return wire.lease(it.id, bytes(it.keys));
    case "Leases":
      return wire.leases(it.start);
    default:
      throw new Error(`what is ${it.type}?`);
  }
}

const record = (it) => {
  if (it === undefined) return null;
  const { key, value, ...meta } = it;
  return { key: hex(key), value: hex(value), meta };
};

/** A reply as wire.json describes it. */
function describe(it) {
  const { type, ...rest } = it;
  const name = type[0].toUpperCase() + type.slice(1);
  switch (type) {
    case "failed":
      return { type: name, code: golden.codes.find(({ number }) => number === it.code).name };
    case "incremented":
      return { type: name, value: it.value, meta: it.meta };
    case "mismatch":
      return { type: name, current: record(it.record), revision: it.revision };
    case "got":
      return { type: name, record: record(it.record), revision: it.revision };
    case "range":
      return { type: name, ...rest, records: it.records.map(record), next: hex(it.next) };
    case "put":
      return { type: name, meta: it.meta, previous: record(it.previous) };
    case "removed":
      return { type: name, records: it.records.map(record), revision: it.revision };
    case "txn":
      return { type: name, ...rest, replies: it.replies.map(describe) };
    case "lease":
      return { type: name, ...rest, keys: it.keys.map(hex), next: hex(it.next) };
    case "changes": {
      const events = it.events.map((event) => ({
        deleted: event.deleted,
        record: record(event.record),
        previous: record(event.previous),
      }));
      return { type: name, ...rest, key: hex(it.key), events };
    }
    default:
      return { type: name, ...rest };
  }
}

test("commands and queries are written as the core reads them", () => {
  let never = 0;
  for (const { name, hex: expected, value } of [...golden.commands, ...golden.queries]) {
    const encoded = encode(value);
    if (encoded === undefined) never++;
    else assert.equal(hex(encoded), expected, name);
  }
  // Swaps by revision (a transaction does that), and steps beyond what a number holds.
  assert.ok(never <= 6, `${never} of the core's commands are never written`);
});

test("replies are read as the core writes them", () => {
  for (const { name, hex: encoded, value } of golden.replies) {
    const described = describe(wire.decodeReply(bytes(encoded)));
    if (value.type === "Incremented") {
      assert.equal(described.value, Number(value.value), name);
      assert.equal(
        Number.isSafeInteger(described.value),
        Math.abs(Number(value.value)) <= Number.MAX_SAFE_INTEGER,
      );
      assert.deepEqual(described.meta, value.meta, name);
    } else {
      assert.deepEqual(described, value, name);
    }
  }
});

test("what is no reply is an error with a code", () => {
  for (const { name, hex: encoded } of golden.noReplies) {
    assert.throws(
      () => replies.replyOf(bytes(encoded)),
      (error) => typeof error.code === "string",
      name,
    );
  }
  // A code that is none yet may come from a newer node; all else is no reply.
  const isNewer = ({ name }) => name === "a code that is none yet";
  assert.equal(golden.noReplies.filter(isNewer).length, 1);
  for (const it of golden.noReplies.filter((one) => !isNewer(one))) {
    assert.throws(() => wire.decodeReply(bytes(it.hex)), RangeError, it.name);
  }
});

test("no cut reply is read, and none makes the reader hang", () => {
  for (const { hex: encoded } of golden.replies) {
    const whole = bytes(encoded);
    for (let length = 0; length < Math.min(whole.length, 64); length++) {
      try {
        wire.decodeReply(whole.subarray(0, length));
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }
  }
});

test("every refusal of the core has its error, and every limit is the core's", () => {
  const own = { MALFORMED: "INVALID_ARGUMENT", EMPTY_KEY: "INVALID_ARGUMENT" };
  for (const { number, name } of golden.codes) {
    const error = replies.refusal(number);
    assert.equal(error.code, own[name] ?? name);
    assert.equal(error.outcome, "not-applied");
  }
  const limit = (name) => golden.limits.find((it) => it.name === name).limit;
  assert.equal(limits.MAX_KEY_BYTES, limit("KEY_BYTES_MAX"));
  assert.equal(limits.MAX_VALUE_BYTES, limit("VALUE_BYTES_MAX"));
  assert.equal(limits.MAX_TXN_OPERATIONS, limit("TXN_OPS_MAX"));
  assert.equal(limits.MAX_TXN_DEPTH, limit("TXN_DEPTH_MAX"));
  assert.equal(limits.MAX_TTL_MS, limit("TTL_MS_MAX"));
});
