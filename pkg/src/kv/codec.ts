/** Keys and values to bytes and back. */

import { invalid, show } from "../check.js";
import { ArgumentError, QuorateError } from "../errors.js";
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from "../limits.js";
import type { Key } from "../types.js";
import type { Codec, CodecValues, CustomCodec, Json } from "./types.js";

/** How one codec's values become bytes. `decode` refuses bytes that are none of its values. */
export interface ValueCodec<V> {
  /** Whether bytes that are added to the end of a value make a value. */
  readonly appends: boolean;
  encode(value: V): Uint8Array;
  /** The key is for sentences. */
  decode(bytes: Uint8Array, key: Uint8Array): V;
}

const encoder = new TextEncoder();
// A mark of the byte order is part of the text: without it, it would be another key or value.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const json: ValueCodec<Json> = {
  appends: false,
  encode(value) {
    let text: string | undefined;
    try {
      text = JSON.stringify(value);
    } catch (error) {
      const why = "it has a cycle, a BigInt or a toJSON that fails, or is too deep";
      throw invalid(`the value cannot become JSON: ${why}`, error);
    }
    // JSON would make null of a number that is none.
    if (text === undefined || (typeof value === "number" && !Number.isFinite(value))) {
      throw invalid(`the value cannot become JSON: it is ${show(value)}`);
    }
    return encodeUtf8(text);
  },
  decode(bytes, key) {
    try {
      return JSON.parse(decodeText(bytes)) as Json;
    } catch (error) {
      throw encoding(key, 'JSON; read it with kv.as("utf8") or kv.as("bytes")', error);
    }
  },
};

export const utf8: ValueCodec<string> = {
  appends: true,
  encode: (value) => encodeText(value, "a value of this codec", "a string"),
  decode(bytes, key) {
    try {
      return decodeText(bytes);
    } catch (error) {
      throw encoding(key, 'UTF-8 text; read it with kv.as("bytes")', error);
    }
  },
};

export const bytes: ValueCodec<Uint8Array> = {
  appends: true,
  encode(value) {
    if (!(value instanceof Uint8Array)) {
      throw invalid(`a value of this codec is a Uint8Array, not ${show(value)}`);
    }
    return value;
  },
  // What comes with it in one buffer is not the caller's.
  decode: (stored) => stored.slice(),
};

/** The codec of a name, or around the caller's own functions. */
export function codecOf<V>(
  codec: Codec | CustomCodec<V>,
): ValueCodec<CodecValues[Codec]> | ValueCodec<V> {
  switch (codec) {
    case "json":
      return json;
    case "utf8":
      return utf8;
    case "bytes":
      return bytes;
    default:
      if (typeof codec === "object" && codec !== null) return custom(codec);
      throw invalid(`a codec is "json", "utf8", "bytes" or { encode, decode }, not ${show(codec)}`);
  }
}

/** Also an object of a class, with fields of its own. */
function custom<V>(codec: CustomCodec<V>): ValueCodec<V> {
  if (typeof codec.encode !== "function" || typeof codec.decode !== "function") {
    throw invalid("a codec has the functions encode and decode");
  }
  const guard = <T>(what: string, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (error instanceof QuorateError) throw error;
      const why = error instanceof Error ? String(error) : show(error);
      throw new ArgumentError("ENCODING", `the codec cannot ${what}: ${why}`, { cause: error });
    }
  };
  return {
    appends: false,
    // Its own: the codec may use the same bytes for its next value.
    encode: (value) =>
      guard("encode the value", () => new Uint8Array(bytes.encode(codec.encode(value)))),
    decode: (stored, key) =>
      guard(`decode the value of ${show(showKey(key))}`, () => codec.decode(stored.slice())),
  };
}

/** A key's bytes. The bound of a range, other than a key, may be empty, or one byte longer than the longest key. */
export function encodeKey(key: Key, what: string, as: "key" | "bound" = "key"): Uint8Array {
  const encoded =
    key instanceof Uint8Array ? plain(key) : encodeText(key, what, "a string or bytes");
  if (encoded.length === 0 && as === "key") throw invalid(`${what} must not be empty`);
  if (encoded.length > MAX_KEY_BYTES + (as === "bound" ? 1 : 0)) {
    throw new ArgumentError(
      "KEY_TOO_LARGE",
      `${what} has ${encoded.length} bytes; keys have at most ${MAX_KEY_BYTES}`,
    );
  }
  return encoded;
}

/** A value's bytes. */
export function encodeValue<V>(codec: ValueCodec<V>, value: V): Uint8Array {
  const encoded = codec.encode(value);
  if (encoded.length > MAX_VALUE_BYTES) {
    throw new ArgumentError(
      "VALUE_TOO_LARGE",
      `the value has ${encoded.length} bytes; values have at most ${MAX_VALUE_BYTES}`,
    );
  }
  return encoded;
}

/** Key bytes for display. */
export function showKey(key: Uint8Array): string {
  return decoder.decode(key);
}

/** Without a class of its own: a `slice` of Node's `Buffer` shares its bytes. */
function plain(bytes: Uint8Array): Uint8Array {
  return Object.getPrototypeOf(bytes) === Uint8Array.prototype
    ? bytes
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function encodeText(text: unknown, what: string, kind: string): Uint8Array {
  if (typeof text !== "string") throw invalid(`${what} must be ${kind}, not ${show(text)}`);
  // Lone surrogates have no UTF-8: two different strings would become the same bytes.
  if (/\p{Surrogate}/u.test(text)) throw invalid(`${what} contains half of a surrogate pair`);
  return encodeUtf8(text);
}

/** Most keys and many values are short and of ASCII: that is done here before an encoder is asked. */
function encodeUtf8(text: string): Uint8Array {
  if (text.length > 64) return encoder.encode(text);
  const encoded = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0x80) return encoder.encode(text);
    encoded[at] = unit;
  }
  return encoded;
}

function decodeText(stored: Uint8Array): string {
  return strictDecoder.decode(stored);
}

function encoding(key: Uint8Array, what: string, cause: unknown): ArgumentError {
  const sentence = `the value of ${show(showKey(key))} is no ${what}`;
  return new ArgumentError("ENCODING", sentence, { cause });
}
