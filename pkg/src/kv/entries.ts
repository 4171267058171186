/** Records to entries. */

import { showKey, type ValueCodec } from "./codec.js";
import type { Only, RangeForm } from "./selection.js";
import type { Entry, KeyedEntry, RangeResult } from "./types.js";
import type { KeyValue, Reply } from "./wire.js";

/** An entry, or null. */
export function entryOf<V>(codec: ValueCodec<V>, record: KeyValue | undefined): Entry<V> | null {
  if (record === undefined) return null;
  const { key, value, createRevision, modRevision, version, lease } = record;
  return { value: codec.decode(value, key), createRevision, modRevision, version, lease };
}

/** An entry with its key; without its value unless whole entries were asked for. */
export function keyedEntryOf<V>(
  codec: ValueCodec<V>,
  record: KeyValue,
  only: Only = "entries",
): KeyedEntry<V> {
  const { key, value, createRevision, modRevision, version, lease } = record;
  return {
    key: showKey(key),
    keyBytes: key.slice(),
    value: only === "entries" ? codec.decode(value, key) : undefined,
    createRevision,
    modRevision,
    version,
    lease,
  };
}

/** The answer to a range. */
export function rangeOf<V>(
  codec: ValueCodec<V>,
  reply: Reply & { type: "range" },
  { only, inKeyOrder }: RangeForm,
): RangeResult<V> {
  return {
    entries: reply.records.map((record) => keyedEntryOf(codec, record, only)),
    count: reply.count,
    revision: reply.revision,
    more: reply.next !== undefined,
    next: inKeyOrder ? reply.next?.slice() : undefined,
  };
}
