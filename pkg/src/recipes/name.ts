/** Names of recipes, and the keys that follow from them. */

import { integer, invalid, record, show } from "../check.js";
import { encodeValue, json } from "../kv/codec.js";
import type { Json, Kv } from "../kv/types.js";

/** Any store: the recipes choose their codecs themselves. */
export type Store = Pick<Kv<unknown>, "as">;

const MAX_NAME_BYTES = 200;
const MAX_TTL_MS = 86_400_000;

/** One recipe's place in the store. */
export interface Home {
  readonly name: string;
  /** Its keys begin with this. A name's "/" is written as "%2F" in it, so that no home is within another one; braces stay, as tags. */
  readonly prefix: string;
  /** For sentences: `the lock "a"`. */
  readonly what: string;
}

/** `kind` is the first part of its keys, and what it is called. */
export function home(kind: string, name: unknown): Home {
  if (typeof name !== "string" || name === "" || /\p{Surrogate}/u.test(name)) {
    throw invalid(`the name of a ${kind} is text, not ${show(name)}`);
  }
  const size = new TextEncoder().encode(name).length;
  if (size > MAX_NAME_BYTES) {
    throw invalid(`the name of a ${kind} has ${size} bytes; it may have ${MAX_NAME_BYTES}`);
  }
  return {
    name,
    prefix: `${kind.replaceAll(" ", "-")}/${encodeURIComponent(name).replace(/%7[BD]/g, decodeURIComponent)}/`,
    what: `the ${kind} ${show(name)}`,
  };
}

/** The fields of options that wait, and of those that hold something. */
export const WAIT = ["signal", "timeout"] as const;
export const HOLD = ["ttl", ...WAIT] as const;

/** Options, which may be none, with no other fields than these. */
export function checked<O extends object>(
  options: O | undefined,
  fields: readonly (keyof O & string)[],
): O {
  if (options === undefined) return {} as O;
  record(options, "the options", fields);
  return options;
}

/** A value that JSON can hold, as the store would find out later. */
export function checkValue(value: Json): void {
  encodeValue(json, value);
}

/** How long something outlives its holder. */
export function ttlMs(ttl: unknown = 10_000): number {
  return integer(ttl, '"ttl"', 100, MAX_TTL_MS);
}
