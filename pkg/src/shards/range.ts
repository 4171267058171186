/** Ranges over many shards: the answers of all, put together. */

import { quorateError } from "../errors.js";
import { compare } from "../kv/bytes.js";
import type { KeyedEntry, RangeResult } from "../kv/types.js";
import type { ShardedRangeOptions, ShardedRangeResult } from "./types.js";

/** How many entries each shard is asked for where the caller says no limit: each gives a part of what comes next. */
const AT_ONCE = 4_096;
const AT_LEAST = 64;

/** How many entries to ask each of so many shards for; none is as many as an answer holds. */
export function limitOfEach(range: ShardedRangeOptions, shards: number): number | undefined {
  const most = Math.max(AT_LEAST, Math.ceil(AT_ONCE / shards));
  if (!inKeyOrder(range)) return range.limit;
  return range.limit === undefined ? most : Math.min(range.limit, most);
}

const inKeyOrder = ({ orderBy = "key", descending = false }: ShardedRangeOptions) =>
  orderBy === "key" && !descending;

type Bytes = KeyedEntry<Uint8Array>;

/** The answers of all shards, as one. `REPLY_TOO_LARGE` where they do not tell what comes first. */
export function merged(
  range: ShardedRangeOptions,
  answers: readonly RangeResult<Uint8Array>[],
): ShardedRangeResult<Uint8Array> {
  const count = answers.reduce((sum, answer) => sum + answer.count, 0);
  let entries = answers.flatMap((answer) => answer.entries).sort(orderOf(range));
  let next: Uint8Array | undefined;
  if (inKeyOrder(range)) {
    // What comes behind the first that any shard left out is not all here.
    for (const answer of answers) {
      if (answer.next !== undefined && (next === undefined || compare(answer.next, next) < 0))
        next = answer.next;
    }
    const end = next;
    if (end !== undefined) entries = entries.filter(({ keyBytes }) => compare(keyBytes, end) < 0);
    const { limit } = range;
    if (limit !== undefined && entries.length > limit) {
      next = entries[limit]?.keyBytes;
      entries = entries.slice(0, limit);
    }
    return { entries, count, more: next !== undefined, next };
  }
  for (const { entries: given, more } of answers) {
    if (more && given.length < (range.limit ?? Number.POSITIVE_INFINITY)) {
      const message = "a shard cannot give all that may come first; ask for less at a time";
      throw quorateError("REPLY_TOO_LARGE", message, { outcome: "not-applied" });
    }
  }
  entries = entries.slice(0, range.limit);
  const more = range.only !== "count" && entries.length < count;
  return { entries, count, more, next: undefined };
}

function orderOf({ orderBy = "key", descending = false }: ShardedRangeOptions) {
  const sign = descending ? -1 : 1;
  switch (orderBy) {
    case "key":
      return (a: Bytes, b: Bytes) => sign * compare(a.keyBytes, b.keyBytes);
    case "version":
      return (a: Bytes, b: Bytes) =>
        sign * (a.version - b.version) || compare(a.keyBytes, b.keyBytes);
    case "value":
      return (a: Bytes, b: Bytes) =>
        sign * compare(a.value ?? NONE, b.value ?? NONE) || compare(a.keyBytes, b.keyBytes);
  }
}

const NONE = new Uint8Array();
