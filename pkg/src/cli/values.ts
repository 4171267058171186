/** Words to values, and values to words. */

import type { Entry, KeyedEntry, Kv } from "../kv/types.js";
import type { Cluster } from "../types.js";
import { UsageError } from "./exit.js";
import { jsonOf } from "./output.js";

/** Text goes in, bytes come out: nobody knows what others have stored. */
export type Value = string | Uint8Array;

/** The store, as the command line sees it. */
export function valuesOf(cluster: Cluster): Kv<Value> {
  return cluster.kv.as<Value>({
    encode: (value) => (typeof value === "string" ? new TextEncoder().encode(value) : value),
    decode: (bytes) => bytes,
  });
}

/** As text, where it is text. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const bytesOf = (value: Value) => (typeof value === "string" ? Buffer.from(value) : value);

/** `{ value }`, or `{ valueBase64 }` where it is no text; likewise under another name. */
export function field(name: string, value: Value | undefined): object {
  if (value === undefined) return {};
  const text = textOf(bytesOf(value));
  return text === undefined ? { [`${name}Base64`]: base64(bytesOf(value)) } : { [name]: text };
}

/** An entry as an object; its key may stand outside of it. */
export function entryObject(
  entry: Entry<Value> | KeyedEntry<Value>,
  key: string | Uint8Array | undefined = "keyBytes" in entry ? entry.keyBytes : undefined,
): object {
  const { createRevision, modRevision, version, lease } = entry;
  return {
    ...field("key", key),
    ...field("value", entry.value),
    ...{ createRevision, modRevision, version, lease },
  };
}

/** What was there before, if it was asked for. */
export function previousObject(previous: Entry<Value> | null | undefined): object {
  return previous === undefined ? {} : { previous: previous && entryObject(previous) };
}

/** A value in a line: quoted where it would break it. */
export function showValue(value: Value): string {
  const text = textOf(bytesOf(value));
  if (text === undefined) return `base64:${base64(bytesOf(value))}`;
  return /\p{Cc}/u.test(text) ? jsonOf(text) : text;
}

/** A key in a line: quoted where it would be taken for two. */
export function showKey(key: Uint8Array): string {
  const text = showValue(key);
  return text === "" || /[\s"]/.test(text) ? JSON.stringify(textOf(key) ?? text) : text;
}

export function numberOf(word: string, what = word): number {
  const number = Number(word);
  if (word.trim() === "" || Number.isNaN(number)) throw new UsageError(`${what} is no number`);
  return number;
}

/** Milliseconds of `10s`, `500ms`, `5m`, `2h`. */
export function timeOf(word: string, what = word): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(word) ?? [];
  if (count === undefined) {
    const example = /^\d+$/.test(word) ? `${word}s or ${word}ms` : "10s, 500ms, 5m or 2h";
    throw new UsageError(`${what} is a time with its unit, such as ${example}`);
  }
  return Math.round(Number(count) * UNITS[unit as keyof typeof UNITS]);
}

/** Bytes of `64MiB`, `512KiB`, `1GiB`, or of a number alone. */
export function sizeOf(word: string, what = word): number {
  const [, count, unit = ""] = /^(\d+(?:\.\d+)?)(KiB|MiB|GiB)?$/.exec(word) ?? [];
  if (count === undefined)
    throw new UsageError(`${what} is a size, such as 64MiB, 512KiB, 1GiB or a number of bytes`);
  return Math.round(Number(count) * SIZES[unit as keyof typeof SIZES]);
}

export function showTime(ms: number): string {
  return ms < 1_000 ? `${ms}ms` : `${Math.round(ms / 100) / 10}s`;
}

/** `1 key`, `2 keys`. */
export function showCount(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

const SIZES = { "": 1, KiB: 1 << 10, MiB: 1 << 20, GiB: 1 << 30 };
const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
