/** Transactions: conditions and operations to one command, its reply to results. */

import { integer, invalid, record, show } from "../check.js";
import { ArgumentError, quorateError } from "../errors.js";
import { MAX_TXN_DEPTH, MAX_TXN_OPERATIONS } from "../limits.js";
import type { Key } from "../types.js";
import { encodeKey, encodeValue, type ValueCodec } from "./codec.js";
import { entryOf, keyedEntryOf, rangeOf } from "./entries.js";
import { leaseId } from "./lease.js";
import { expect, unexpected } from "./reply.js";
import { explicit, flagOf, oneOf, rangeQuery, revisionOf, SELECTION, single } from "./selection.js";
import type { Condition, Operation, OperationResult, Txn, TxnResult } from "./types.js";
import * as wire from "./wire.js";

/** Whose transaction it is. */
export interface Origin<V> {
  readonly codec: ValueCodec<V>;
  /** What its leases are known by. */
  readonly store: object;
}

/** A command, and how to read its reply. */
export interface Prepared<R> {
  readonly command: Uint8Array;
  read(reply: wire.Reply): R;
}

/** Prepares a transaction; `depth` counts those around it. */
export function prepareTxn<V>(origin: Origin<V>, txn: Txn<V>, depth = 1): Prepared<TxnResult<V>> {
  record(txn, "a transaction", ["if", "do", "else"]);
  if (depth > MAX_TXN_DEPTH) {
    throw new ArgumentError(
      "TOO_MANY_OPERATIONS",
      `transactions may stand in one another ${MAX_TXN_DEPTH} deep`,
    );
  }
  const conditions = list(txn.if, '"if"').map((it) => condition(origin, it));
  const prepare = (it: Operation<V>) => operation(origin, it, depth);
  const [then, otherwise] = [list(txn.do, '"do"'), list(txn.else, '"else"')].map((it) =>
    it.map(prepare),
  ) as [Prepared<OperationResult<V>>[], Prepared<OperationResult<V>>[]];
  const commands = (all: Prepared<unknown>[]) => all.map(({ command }) => command);
  return {
    command: wire.txn(conditions, commands(then), commands(otherwise)),
    read(reply) {
      const { succeeded, revision, replies } = expect(reply, "txn");
      const taken = succeeded ? then : otherwise;
      const results = replies.map((one, at) => {
        const operation = taken[at];
        if (operation === undefined) throw unexpected();
        return operation.read(one);
      });
      return { succeeded, revision, results };
    },
  };
}

function condition<V>({ codec, store }: Origin<V>, it: Condition<V>): wire.WireCondition {
  record(it, "a condition", ["key", ...SELECTION, "is", ...wire.TARGETS]);
  const given = wire.TARGETS.filter((target) => Object.hasOwn(it, target));
  const [target] = given;
  if (target === undefined || given.length > 1) {
    throw invalid(`a condition compares one of ${wire.TARGETS.join(", ")}`);
  }
  const { key, is = "=", ...rest } = it as Readonly<Record<string, unknown>>;
  const selection = Object.fromEntries(Object.entries(rest).filter(([name]) => name !== target));
  if (key !== undefined && Object.keys(selection).length > 0) {
    throw invalid(`a condition is on a key, or on a range by ${SELECTION.join(", ")}; not on both`);
  }
  const compared = rest[target];
  return {
    range:
      key === undefined ? explicit(selection, "a condition without a key") : single(key as Key),
    relation: wire.RELATIONS.indexOf(oneOf(is, '"is"', wire.RELATIONS)),
    target: wire.TARGETS.indexOf(target),
    with:
      target === "value"
        ? encodeValue(codec, compared as V)
        : target === "lease"
          ? leaseId(compared, "a condition's lease", store)
          : integer(compared, `a condition's ${target}`, 0, Number.MAX_SAFE_INTEGER),
  };
}

const KINDS = {
  put: ["value", "lease", "previous"],
  get: [],
  range: ["revision"],
  delete: ["previous"],
  deleteRange: ["previous"],
  increment: ["by"],
  append: ["value"],
  attach: ["lease"],
  txn: [],
} as const;

function operation<V>(
  origin: Origin<V>,
  it: Operation<V>,
  depth: number,
): Prepared<OperationResult<V>> {
  const { codec, store } = origin;
  if (typeof it !== "object" || it === null)
    throw invalid(`an operation is an object, not ${show(it)}`);
  const kinds = (Object.keys(KINDS) as (keyof typeof KINDS)[]).filter(
    (kind) => it[kind] !== undefined,
  );
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    throw invalid(`an operation is one of ${Object.keys(KINDS).join(", ")}`);
  }
  record(it, `the operation ${kind}`, [kind, ...KINDS[kind]]);
  if (it.put !== undefined) return part(preparePut(origin, it.put, it.value, it));
  if (it.get !== undefined) {
    const command = wire.get(encodeKey(it.get, "the key"));
    return {
      command,
      read: (reply) => ({ type: "get", entry: entryOf(codec, expect(reply, "got").record) }),
    };
  }
  if (it.range !== undefined) {
    const { query, form } = rangeQuery(it.range, revisionOf(it.revision, '"revision"'));
    return {
      command: query,
      read: (reply) => {
        const { revision: _, ...range } = rangeOf(codec, expect(reply, "range"), form);
        return { type: "range", ...range };
      },
    };
  }
  if (it.delete !== undefined) return part(prepareDelete(codec, single(it.delete), it.previous));
  if (it.deleteRange !== undefined) {
    return part(prepareDelete(codec, explicit(it.deleteRange, "deleteRange"), it.previous));
  }
  if (it.increment !== undefined) {
    const { command, read } = prepareIncrement(it.increment, it.by);
    return { command, read: (reply) => ({ type: "increment", value: read(reply).value }) };
  }
  if (it.append !== undefined) {
    const command = wire.append(encodeKey(it.append, "the key"), appended(codec, it.value));
    return { command, read: done };
  }
  if (it.attach !== undefined) {
    const lease = leaseId(it.lease, '"lease"', store);
    return {
      command: wire.putWith(encodeKey(it.attach, "the key"), undefined, lease, false),
      read: done,
    };
  }
  const nested = prepareTxn(origin, it.txn, depth + 1);
  return {
    command: nested.command,
    read: (reply) => {
      const { revision: _, ...result } = nested.read(reply);
      return { type: "txn", ...result };
    },
  };
}

/** As part of a transaction, which has one revision for all. */
function part<R extends { readonly revision: number }>(
  whole: Prepared<R>,
): Prepared<Omit<R, "revision">> {
  const read = (reply: wire.Reply) => {
    const { revision: _, ...result } = whole.read(reply);
    return result;
  };
  return { command: whole.command, read };
}

const done = (): OperationResult<never> => ({ type: "put", previous: undefined });

/** A value that can stand at the end of another one. */
export function appended<V>(codec: ValueCodec<V>, value: V): Uint8Array {
  if (!codec.appends)
    throw invalid('values of this codec have no end; use kv.as("utf8") or kv.as("bytes")');
  return encodeValue(codec, value);
}

type PutResult<V> = OperationResult<V> & { readonly type: "put" };

/** A put with its options. */
export function preparePut<V>(
  { codec, store }: Origin<V>,
  key: Key,
  value: V,
  options: { readonly lease?: unknown; readonly previous?: unknown },
): Prepared<PutResult<V> & { readonly revision: number }> {
  const [k, v] = [encodeKey(key, "the key"), encodeValue(codec, value)];
  const { lease } = options;
  const previous = flagOf(options.previous, '"previous"');
  if (lease === undefined && !previous) {
    return {
      command: wire.put(k, v),
      read: (reply) => {
        const { modRevision } = expect(reply, "written").meta;
        return { type: "put", previous: undefined, revision: modRevision };
      },
    };
  }
  const id =
    lease === "keep"
      ? undefined
      : lease === undefined
        ? 0
        : leaseId(lease, '"lease", if not "keep",', store);
  return {
    command: wire.putWith(k, v, id, previous),
    read: (reply) => {
      const { meta, previous: was } = expect(reply, "put");
      const entry = previous ? entryOf(codec, was) : undefined;
      return { type: "put", previous: entry, revision: meta.modRevision };
    },
  };
}

type DeleteResult<V> = OperationResult<V> & { readonly type: "delete" };

/** A removal with its option. */
export function prepareDelete<V>(
  codec: ValueCodec<V>,
  range: wire.Interval,
  previous: unknown,
): Prepared<DeleteResult<V> & { readonly revision: number }> {
  if (!flagOf(previous, '"previous"')) {
    return {
      command: wire.deleteRange(range),
      read: (reply) => {
        const { count, revision } = expect(reply, "deleted");
        return { type: "delete", deleted: count, previous: undefined, revision };
      },
    };
  }
  return {
    command: wire.removeRange(range),
    read: (reply) => {
      const { records, revision } = expect(reply, "removed");
      const were = records.map((record) => keyedEntryOf(codec, record));
      return { type: "delete", deleted: were.length, previous: were, revision };
    },
  };
}

/** An increment. */
export function prepareIncrement(
  key: Key,
  by: unknown = 1,
): Prepared<{ readonly value: number; readonly revision: number }> {
  const step = integer(by, '"by"', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  return {
    command: wire.increment(encodeKey(key, "the key"), step),
    read: (reply) => {
      const { value, meta } = expect(reply, "incremented");
      if (!Number.isSafeInteger(value)) {
        const message = "the sum is beyond what a number holds exactly, 2^53 - 1";
        throw quorateError("NUMBER_TOO_LARGE", message, { outcome: "applied" });
      }
      return { value, revision: meta.modRevision };
    },
  };
}

function list<T>(value: readonly T[] | undefined, what: string): readonly T[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid(`${what} is an array, not ${show(value)}`);
  if (value.length > MAX_TXN_OPERATIONS) {
    throw new ArgumentError(
      "TOO_MANY_OPERATIONS",
      `${what} has ${value.length} elements; a transaction has at most ${MAX_TXN_OPERATIONS}`,
    );
  }
  // One that was left out is undefined, and no element that `map` would pass over.
  return Array.from(value);
}
