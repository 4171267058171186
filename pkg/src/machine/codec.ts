/**
 * Values of machines to bytes and back. What is replicated, stored and compared are these bytes, so they never change:
 * a tag, and then nothing, JSON, the bytes themselves, or one after the other each behind its length.
 */

import { Reader, Writer } from "../kv/bytes.js";
import type { Thrown } from "./types.js";

/** The longest command, query or reply, and the largest answer and snapshot, in bytes. */
export const MAX_MESSAGE_BYTES = 1 << 20;
export const MAX_ANSWER_BYTES = 8 << 20;
export const MAX_SNAPSHOT_BYTES = 256 << 20;
/** Values within values. */
const MAX_DEPTH = 256;
/** Of what was thrown. */
const MAX_TEXT_CHARS = 1_000;

/** The first byte. */
const NOTHING = 0;
const JSON_TEXT = 1;
const BYTES = 2;
const SEQUENCE = 3;
const THROWN = 4;
const UNFIT = 5;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes of a value. Throws rather than lose anything of it; the message goes on after "… cannot be stored: ". */
export function encode(value: unknown, maxBytes: number): Uint8Array {
  const encoded = encodeOne(value);
  if (encoded.length > maxBytes) throw tooLarge(`${encoded.length}`, maxBytes);
  return encoded;
}

/** The bytes of a snapshot: of a value, or of the items of whatever else is iterable. */
export function encodeSnapshot(snapshot: unknown): Uint8Array {
  if (!isSequence(snapshot)) return encode(snapshot, MAX_SNAPSHOT_BYTES);
  const writer = new Writer(1 << 10).byte(SEQUENCE);
  for (const item of snapshot) {
    writer.bytes(encodeOne(item));
    if (writer.length > MAX_SNAPSHOT_BYTES) throw tooLarge("more", MAX_SNAPSHOT_BYTES);
  }
  return writer.finish();
}

/** The value of bytes, which stay the caller's. */
export function decode(bytes: Uint8Array): unknown {
  const body = bytes.subarray(1);
  switch (bytes[0]) {
    case NOTHING:
      return undefined;
    case JSON_TEXT:
      return JSON.parse(decoder.decode(body));
    case BYTES:
      return new Uint8Array(body);
    case SEQUENCE:
      return items(new Reader(new Uint8Array(body)));
    default:
      throw new RangeError("these bytes are no value of a machine");
  }
}

function* items(reader: Reader): Generator<unknown> {
  while (!reader.atEnd) yield decode(reader.bytes());
}

/** A machine threw: what of that every node says alike, whatever engine it runs in. */
export function encodeThrown(error: unknown): Uint8Array {
  return tagged(THROWN, JSON.stringify(thrownOf(error)));
}

/**
 * Whether the text of what was thrown is left out, because engines word it, and each one otherwise: that of the errors which
 * they throw by themselves, unless there is a code, and of all that the platform throws.
 */
export function isWordedByEngine(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  try {
    if (globalThis.DOMException !== undefined && error instanceof DOMException) return true;
    const { name, code } = error as Partial<Record<keyof Thrown, unknown>>;
    return isMistake(name, code);
  } catch {
    return false;
  }
}

/** Whether an error of this name and code is one that an engine throws by itself. */
export function isMistake(name: unknown, code: unknown): boolean {
  return typeof code !== "string" && typeof code !== "number" && MISTAKES.has(name);
}

const MISTAKES = new Set<unknown>([
  "TypeError",
  "ReferenceError",
  "SyntaxError",
  "RangeError",
  "URIError",
  "EvalError",
  "InternalError",
]);

/** A machine gave what is no reply; why. */
export function encodeUnfit(why: string): Uint8Array {
  return tagged(UNFIT, text(why));
}

/** The text of what `encode` threw, as every node says it. */
export function whyUnfit(error: unknown): string {
  return isWordedByEngine(error) ? "it cannot be read" : messageOf(error);
}

/** What came of a command or query. */
export type Result =
  | { readonly type: "value"; readonly value: unknown }
  | { readonly type: "thrown"; readonly thrown: Thrown }
  | { readonly type: "unfit"; readonly why: string };

export function decodeResult(bytes: Uint8Array): Result {
  const text = () => decoder.decode(bytes.subarray(1));
  switch (bytes[0]) {
    case THROWN:
      return { type: "thrown", thrown: JSON.parse(text()) as Thrown };
    case UNFIT:
      return { type: "unfit", why: text() };
    default:
      return { type: "value", value: decode(bytes) };
  }
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function encodeOne(value: unknown): Uint8Array {
  if (value === undefined) return Uint8Array.of(NOTHING);
  if (value instanceof Uint8Array) {
    const encoded = new Uint8Array(value.length + 1);
    encoded[0] = BYTES;
    encoded.set(value, 1);
    return encoded;
  }
  const lost = loss(value, 0);
  if (lost !== undefined)
    throw new Error(lost.place === "" ? lost.what : `${lost.what} at ${lost.place}`);
  return tagged(JSON_TEXT, JSON.stringify(value));
}

/** The tags are characters of one byte. */
function tagged(tag: number, text: string): Uint8Array {
  return encoder.encode(String.fromCharCode(tag) + text);
}

/** What JSON would change or lose of a value without a word, and where. */
function loss(value: unknown, depth: number): { place: string; what: string } | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      return Number.isFinite(value) ? undefined : { place: "", what: String(value) };
    case "object":
      break;
    default:
      return { place: "", what: value === undefined ? "undefined" : `a ${typeof value}` };
  }
  if (value === null) return undefined;
  if (depth === MAX_DEPTH)
    return { place: "", what: `more than ${MAX_DEPTH} values in one another` };
  if (Object.getOwnPropertySymbols(value).length > 0)
    return { place: "", what: "a symbol's value" };
  if (Array.isArray(value)) {
    const above: unknown = Object.getPrototypeOf(Object.getPrototypeOf(value));
    if (above === null || Object.getPrototypeOf(above) !== null) return ofClass(value);
    // Those of items come first.
    const beside = Object.keys(value).at(value.length);
    if (beside !== undefined) return { place: `.${beside}`, what: "a list's further value" };
    for (let at = 0; at < value.length; at++) {
      const lost = loss(value[at], depth + 1);
      if (lost !== undefined) return { ...lost, place: `[${at}]${lost.place}` };
    }
    return undefined;
  }
  // A plain object's prototype has none, wherever it was made.
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    return ofClass(value);
  }
  for (const [key, within] of Object.entries(value)) {
    // JSON leaves it out, as everyone expects.
    const lost = within === undefined ? undefined : loss(within, depth + 1);
    if (lost !== undefined) return { ...lost, place: `.${key}${lost.place}` };
  }
  return undefined;
}

function ofClass(value: object): { place: string; what: string } {
  const name: unknown = value.constructor?.name;
  return { place: "", what: `a ${typeof name === "string" && name ? name : "value of a class"}` };
}

/** Whether a snapshot comes in items: a JSON array is one value, and so are text and bytes. */
function isSequence(value: unknown): value is Iterable<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === "function"
  );
}

function thrownOf(error: unknown): Thrown {
  try {
    if (typeof error !== "object" || error === null) return { name: "Error", message: text(error) };
    const { name, message, code } = error as Partial<Record<keyof Thrown, unknown>>;
    const own = typeof code === "string" ? text(code) : code;
    return {
      name: typeof name === "string" ? text(name) : "Error",
      message: typeof message === "string" && !isWordedByEngine(error) ? text(message) : "",
      ...(typeof own === "string" || (typeof own === "number" && Number.isFinite(own))
        ? { code: own }
        : {}),
    };
  } catch {
    return { name: "Error", message: "what was thrown cannot be read" };
  }
}

function text(value: unknown): string {
  return String(value).slice(0, MAX_TEXT_CHARS);
}

function tooLarge(has: string, maxBytes: number): Error {
  return new Error(`it has ${has} bytes, of at most ${maxBytes}`);
}
