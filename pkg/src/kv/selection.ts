/** Which keys a caller means, as an interval. */

import { integer, invalid, record, show } from "../check.js";
import type { Key } from "../types.js";
import { compare, prefixEnd, successor } from "./bytes.js";
import { encodeKey } from "./codec.js";
import type { RangeOptions, RangeSelection } from "./types.js";
import { type Interval, ORDERS, PROJECTIONS, range, rangeWith } from "./wire.js";

export const SELECTION = ["prefix", "start", "end"] as const;
export const RANGE = [
  ...SELECTION,
  "limit",
  "only",
  "orderBy",
  "descending",
  "minModRevision",
  "maxModRevision",
  "minCreateRevision",
  "maxCreateRevision",
] as const;

/** The half-open interval that a selection means. */
export function intervalOf({ prefix, start, end }: RangeSelection): Interval {
  const from = start === undefined ? new Uint8Array() : encodeKey(start, '"start"', "bound");
  const to = end === undefined ? undefined : encodeKey(end, '"end"', "bound");
  if (prefix === undefined) return { start: from, end: to };
  const first = encodeKey(prefix, '"prefix"', "bound");
  const beyond = prefixEnd(first);
  return {
    start: compare(from, first) > 0 ? from : first,
    end: to === undefined || (beyond !== undefined && compare(beyond, to) < 0) ? beyond : to,
  };
}

/** The interval of one key. */
export function single(key: Key, what = "the key"): Interval {
  const start = encodeKey(key, what);
  return { start, end: successor(start) };
}

/** A selection that must say which keys. */
export function explicit(selection: RangeSelection, what: string): Interval {
  record(selection, what, SELECTION);
  const { prefix, start, end } = selection;
  if (prefix === undefined && start === undefined && end === undefined) {
    throw invalid(`${what} must say which keys; all of them are { prefix: "" }`);
  }
  return intervalOf(selection);
}

/** A revision, or 0 where none is given. */
export function revisionOf(value: unknown, what: string): number {
  return value === undefined ? 0 : integer(value, what, 0, Number.MAX_SAFE_INTEGER);
}

/** What of a range comes back: values, too, or not. */
export type Only = (typeof PROJECTIONS)[number];

/** What is needed to read the answer to a range. */
export interface RangeForm {
  readonly only: Only;
  /** Whether what is left out comes behind what is there. */
  readonly inKeyOrder: boolean;
}

/** The query of a range, as of a revision (0: now), and the form of its answer. */
export function rangeQuery(
  options: RangeOptions,
  at: number,
): { readonly query: Uint8Array; readonly form: RangeForm } {
  record(options, "the range", RANGE);
  const interval = intervalOf(options);
  const limit =
    options.limit === undefined ? 0 : integer(options.limit, '"limit"', 1, Number.MAX_SAFE_INTEGER);
  const only = oneOf(options.only === undefined ? "entries" : options.only, '"only"', PROJECTIONS);
  const order = ORDERS.indexOf(
    oneOf(options.orderBy === undefined ? "key" : options.orderBy, '"orderBy"', ORDERS),
  );
  const projection = PROJECTIONS.indexOf(only);
  const descending = flagOf(options.descending, '"descending"');
  const bounds = [
    revisionOf(options.minModRevision, '"minModRevision"'),
    revisionOf(options.maxModRevision, '"maxModRevision"'),
    revisionOf(options.minCreateRevision, '"minCreateRevision"'),
    revisionOf(options.maxCreateRevision, '"maxCreateRevision"'),
  ] as const;
  const inKeyOrder = order === 0 && !descending;
  const plain = at === 0 && inKeyOrder && bounds.every((bound) => bound === 0);
  const query = plain
    ? range(interval, limit, projection)
    : rangeWith(interval, { at, limit, projection, order, descending, bounds });
  return { query, form: { only, inKeyOrder } };
}

export function flagOf(value: unknown, what: string): boolean {
  if (value !== undefined && typeof value !== "boolean")
    throw invalid(`${what} is true or false, not ${show(value)}`);
  return value === true;
}

export function oneOf<const T extends string>(
  value: unknown,
  what: string,
  choices: readonly T[],
): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) {
    const all = choices.map((choice) => `"${choice}"`).join(", ");
    throw invalid(`${what} is one of ${all}, not ${show(value)}`);
  }
  return found;
}
