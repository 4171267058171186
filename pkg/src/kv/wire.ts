/**
 * What goes to the machine and comes back, as bytes: `docs/kv.md` has the table. `crate/kv` is the other side, and
 * `tests/kv/wire.json` holds the two together.
 */

import { Reader, Writer } from "./bytes.js";
import type { Meta } from "./types.js";

/** The keys from `start`, up to but without `end`; without one, to the last key. */
export interface Interval {
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
}

/** A key, its value and its numbers. */
export interface KeyValue extends Meta {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** How a range comes back. All numbers are 0 where nothing is asked for. */
export interface RangeSettings {
  readonly at: number;
  readonly limit: number;
  readonly projection: number;
  readonly order: number;
  readonly descending: boolean;
  readonly bounds: readonly [minMod: number, maxMod: number, minCreate: number, maxCreate: number];
}

/** What of a range comes back, as the core numbers it. */
export const PROJECTIONS = ["entries", "keys", "count"] as const;
/** By what a range is ordered, as the core numbers it. */
export const ORDERS = ["key", "createRevision", "modRevision", "version", "value"] as const;

/** What a condition compares, as the core numbers it. */
export const TARGETS = ["version", "createRevision", "modRevision", "lease", "value"] as const;
/** How, as the core numbers it. */
export const RELATIONS = ["=", "!=", ">", "<"] as const;

/** A condition, with the numbers of what it compares and how. */
export interface WireCondition {
  readonly range: Interval;
  readonly relation: number;
  readonly target: number;
  readonly with: number | Uint8Array;
}

/** What one watcher, or several together, want to know. */
export interface WireWatch extends Interval {
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly previous: boolean;
}

function interval(out: Writer, { start, end }: Interval): Writer {
  return out.bytes(start).option(end);
}

function keyed(tag: number, key: Uint8Array, more = 0): Writer {
  return new Writer(key.length + more + 16).byte(tag).bytes(key);
}

export const put = (key: Uint8Array, value: Uint8Array) =>
  keyed(1, key, value.length).bytes(value).finish();

export const remove = (key: Uint8Array) => keyed(2, key).finish();

export const deleteRange = (range: Interval) => interval(new Writer().byte(3), range).finish();

export const append = (key: Uint8Array, value: Uint8Array) =>
  keyed(4, key, value.length).bytes(value).finish();

/** Expects a value, or that there is no key; stores a value, or removes the key. */
export function swap(
  key: Uint8Array,
  expected: Uint8Array | undefined,
  value: Uint8Array | undefined,
): Uint8Array {
  const out = keyed(5, key, (expected?.length ?? 0) + (value?.length ?? 0) + 8);
  if (expected === undefined) out.byte(0);
  else out.byte(2).bytes(expected);
  return out.option(value).finish();
}

export const increment = (key: Uint8Array, by: number) => keyed(6, key).signed(by).finish();

/** Without a value, or a lease, the key keeps its own. */
export function putWith(
  key: Uint8Array,
  value: Uint8Array | undefined,
  lease: number | undefined,
  previous: boolean,
): Uint8Array {
  const out = keyed(7, key, value?.length)
    .option(value)
    .flag(lease !== undefined);
  if (lease !== undefined) out.number(lease);
  return out.flag(previous).finish();
}

export const removeRange = (range: Interval) => interval(new Writer().byte(8), range).finish();

/** `then` and `otherwise` are encoded operations. */
export function txn(
  conditions: readonly WireCondition[],
  then: readonly Uint8Array[],
  otherwise: readonly Uint8Array[],
): Uint8Array {
  const out = new Writer(256).byte(9).number(conditions.length);
  for (const condition of conditions) {
    interval(out, condition.range).byte(condition.relation).byte(condition.target);
    if (typeof condition.with === "number") out.number(condition.with);
    else out.bytes(condition.with);
  }
  for (const operations of [then, otherwise]) {
    out.number(operations.length);
    for (const operation of operations) out.bytes(operation);
  }
  return out.finish();
}

const numbers = (tag: number, ...values: number[]) => {
  const out = new Writer(32).byte(tag);
  for (const value of values) out.number(value);
  return out.finish();
};

/** Id 0 lets the store choose. */
export const leaseGrant = (id: number, ttlMs: number) => numbers(10, id, ttlMs);
export const leaseKeepAlive = (id: number) => numbers(11, id);
export const leaseRevoke = (id: number) => numbers(12, id);
export const compact = (revision: number) => numbers(13, revision);
export const setRetention = (revisions: number, ms: number, bytes: number) =>
  numbers(14, revisions, ms, bytes);

export const get = (key: Uint8Array) => keyed(0x41, key).finish();

export const range = (selection: Interval, limit: number, projection: number) =>
  interval(new Writer().byte(0x42), selection).number(limit).byte(projection).finish();

export function rangeWith(selection: Interval, settings: RangeSettings): Uint8Array {
  const { at, limit, projection, order, descending, bounds } = settings;
  const out = interval(new Writer().byte(0x43), selection).number(at).number(limit);
  out.byte(projection).byte(order).flag(descending);
  for (const bound of bounds) out.number(bound);
  return out.finish();
}

/** From a revision on, 0 for the next one that will be made; from a key of it on. Limits of 0 are none. */
export function changes(
  watches: readonly WireWatch[],
  from: number,
  key: Uint8Array | undefined,
  limit: number,
  bytes: number,
): Uint8Array {
  const out = new Writer(256).byte(0x44).number(watches.length);
  for (const watch of watches) {
    interval(out, watch).flag(watch.noPut).flag(watch.noDelete).flag(watch.previous);
  }
  return out.number(from).option(key).number(limit).number(bytes).finish();
}

/** `keys`: from which key on its keys come back, if they shall. */
export const lease = (id: number, keys: Uint8Array | undefined) =>
  new Writer().byte(0x45).number(id).option(keys).finish();

export const leases = (start: number) => numbers(0x46, start);

/** What a revision did to a key. A deletion has of its numbers only `modRevision`, its own. */
export interface Change {
  readonly deleted: boolean;
  readonly record: KeyValue;
  readonly previous: KeyValue | undefined;
}

/** What the machine answers. */
export type Reply =
  | { readonly type: "failed"; readonly code: number }
  | { readonly type: "written"; readonly meta: Meta }
  | { readonly type: "incremented"; readonly value: number; readonly meta: Meta }
  | { readonly type: "deleted"; readonly count: number; readonly revision: number }
  | {
      readonly type: "mismatch" | "got";
      readonly revision: number;
      readonly record: KeyValue | undefined;
    }
  | {
      readonly type: "range";
      readonly revision: number;
      readonly count: number;
      readonly next: Uint8Array | undefined;
      readonly records: readonly KeyValue[];
    }
  | { readonly type: "put"; readonly meta: Meta; readonly previous: KeyValue | undefined }
  | { readonly type: "removed"; readonly revision: number; readonly records: readonly KeyValue[] }
  | {
      readonly type: "txn";
      readonly succeeded: boolean;
      readonly revision: number;
      readonly replies: readonly Reply[];
    }
  | {
      readonly type: "lease";
      readonly id: number;
      readonly ttlMs: number;
      readonly leftMs: number;
      readonly next: Uint8Array | undefined;
      readonly keys: readonly Uint8Array[];
    }
  | { readonly type: "leases"; readonly next: number; readonly ids: readonly number[] }
  | { readonly type: "compacted"; readonly compacted: number; readonly revision: number }
  | {
      readonly type: "changes";
      readonly revision: number;
      readonly next: number;
      readonly key: Uint8Array | undefined;
      readonly events: readonly Change[];
    };

/** Reads a reply. Its byte strings share the buffer. Throws where the bytes are none. */
export function decodeReply(bytes: Uint8Array): Reply {
  const from = new Reader(bytes);
  const reply = takeReply(from);
  if (!from.atEnd) throw new RangeError("the bytes go on");
  return reply;
}

// The fields of an object are read in the order in which they stand.
function takeReply(from: Reader): Reply {
  const tag = from.byte();
  switch (tag) {
    case 0:
      return { type: "failed", code: takeCode(from) };
    case 1:
      return { type: "written", meta: takeMeta(from) };
    case 2:
      return { type: "incremented", value: from.signed(), meta: takeMeta(from) };
    case 3:
      return { type: "deleted", count: from.number(), revision: from.number() };
    case 4:
    case 5:
      return {
        type: tag === 4 ? "mismatch" : "got",
        revision: from.number(),
        record: from.option(takeRecord),
      };
    case 6:
      return {
        type: "range",
        revision: from.number(),
        count: from.number(),
        next: from.option(takeBytes),
        records: from.rest(takeRecord),
      };
    case 7:
      return { type: "put", meta: takeMeta(from), previous: from.option(takeRecord) };
    case 8:
      return { type: "removed", revision: from.number(), records: from.rest(takeRecord) };
    case 9:
      return {
        type: "txn",
        succeeded: from.flag(),
        revision: from.number(),
        replies: from.rest((reader) => decodeReply(reader.bytes())),
      };
    case 10:
      return {
        type: "lease",
        id: from.number(),
        ttlMs: from.number(),
        leftMs: from.number(),
        next: from.option(takeBytes),
        keys: from.rest(takeBytes),
      };
    case 11:
      return { type: "leases", next: from.number(), ids: from.rest((reader) => reader.number()) };
    case 12:
      return { type: "compacted", compacted: from.number(), revision: from.number() };
    case 13:
      return {
        type: "changes",
        revision: from.number(),
        next: from.number(),
        key: from.option(takeBytes),
        events: from.rest(takeChange),
      };
    default:
      throw new RangeError(`there is no reply ${tag}`);
  }
}

/** Newer nodes may have more of them. */
function takeCode(from: Reader): number {
  const code = from.byte();
  if (code === 0) throw new RangeError("there is no code 0");
  return code;
}

const takeBytes = (from: Reader) => from.bytes();

const takeChange = (from: Reader): Change => ({
  deleted: from.flag(),
  record: takeRecord(from),
  previous: from.option(takeRecord),
});

function takeRecord(from: Reader): KeyValue {
  const key = from.bytes();
  const { createRevision, modRevision, version, lease: held } = takeMeta(from);
  return { key, value: from.bytes(), createRevision, modRevision, version, lease: held };
}

function takeMeta(from: Reader): Meta {
  const createRevision = from.number();
  const modRevision = createRevision + from.number();
  return { createRevision, modRevision, version: from.number(), lease: from.number() };
}
