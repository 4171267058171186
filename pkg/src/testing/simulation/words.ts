/** Values in words, for reports. */

import { decode, decodeResult } from "../../machine/codec.js";

/** A value, short. */
export function say(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value instanceof Uint8Array) return `${value.length} bytes ${hex(value.subarray(0, 16))}`;
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text;
}

/** What came of a command or a query, from its bytes. */
export function sayResult(bytes: Uint8Array): string {
  const result = decodeResult(bytes);
  switch (result.type) {
    case "value":
      return say(plain(result.value));
    case "thrown":
      return `threw ${result.thrown.name}: ${result.thrown.message}`;
    case "unfit":
      return result.why;
  }
}

/** Where two snapshots differ, a line each. */
export function differences(
  one: Uint8Array,
  oneName: string,
  other: Uint8Array,
  otherName: string,
): string[] {
  const [a, b] = [contentOf(one), contentOf(other)];
  if (Array.isArray(a) && Array.isArray(b) && sorted(a) === sorted(b)) {
    return [`${oneName}: ${say(a)}`, `${otherName}: ${say(b)}`, "the same items in another order"];
  }
  const lines: string[] = [];
  compare(a, b, "", (place, left, right) => {
    if (lines.length < MAX_LINES) {
      lines.push(`${place || "state"}: ${oneName} ${say(left)}, ${otherName} ${say(right)}`);
    }
  });
  return lines;
}

/** Seconds of virtual time. */
export function seconds(micros: number): number {
  return Math.round(micros / 100) / 10_000;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function contentOf(bytes: Uint8Array): unknown {
  try {
    return plain(decode(bytes));
  } catch {
    return bytes;
  }
}

/** A sequence as a list. */
function plain(value: unknown): unknown {
  const isSequence =
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    Symbol.iterator in value;
  return isSequence ? [...(value as Iterable<unknown>)] : value;
}

function compare(
  a: unknown,
  b: unknown,
  place: string,
  found: (place: string, a: unknown, b: unknown) => void,
): void {
  if (JSON.stringify(a) === JSON.stringify(b)) return;
  const both = (test: (value: unknown) => boolean) => test(a) && test(b);
  const isTree = (value: unknown) =>
    typeof value === "object" && value !== null && !(value instanceof Uint8Array);
  if (!both(isTree)) {
    found(place, a, b);
    return;
  }
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const inList = both(Array.isArray);
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    compare(left[key], right[key], inList ? `${place}[${key}]` : `${place}.${key}`, found);
  }
}

const sorted = (list: readonly unknown[]) =>
  JSON.stringify(list.map((item) => JSON.stringify(item)).sort());

const hex = (bytes: Uint8Array) =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const MAX_CHARS = 160;
const MAX_LINES = 6;
