/** Keys and values to bytes and back. */

import { invalid, show } from "./check.js";
import { ArgumentError } from "./errors.js";
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from "./limits.js";
import type { Codec, Json, Key } from "./types.js";

/** How one codec's values become bytes. `decode` refuses bytes that are none of its values. */
export interface ValueCodec<V> {
  readonly name: Codec;
  encode(value: V): Uint8Array;
  decode(bytes: Uint8Array): V;
}

const encoder = new TextEncoder();

export const json: ValueCodec<Json> = {
  name: "json",
  encode(value) {
    let text: string | undefined;
    try {
      text = JSON.stringify(value);
    } catch (error) {
      throw invalid("the value cannot become JSON: it has a cycle or a BigInt", error);
    }
    if (text === undefined) throw invalid(`the value cannot become JSON: it is ${show(value)}`);
    return encoder.encode(text);
  },
  decode(bytes) {
    try {
      return JSON.parse(decodeText(bytes)) as Json;
    } catch (error) {
      throw encoding('JSON; read it with kv.as("utf8") or kv.as("bytes")', error);
    }
  },
};

export const utf8: ValueCodec<string> = {
  name: "utf8",
  encode: (value) => encodeText(value, "a value of this codec"),
  decode(bytes) {
    try {
      return decodeText(bytes);
    } catch (error) {
      throw encoding('UTF-8 text; read it with kv.as("bytes")', error);
    }
  },
};

export const bytes: ValueCodec<Uint8Array> = {
  name: "bytes",
  encode(value) {
    if (!(value instanceof Uint8Array)) {
      throw invalid(`a value of this codec is a Uint8Array, not ${show(value)}`);
    }
    return value;
  },
  decode: (stored) => stored,
};

/** A key's bytes. The bound of a range, other than a key, may be empty, or one byte longer than the longest key. */
export function encodeKey(key: Key, what: string, as: "key" | "bound" = "key"): Uint8Array {
  const encoded = key instanceof Uint8Array ? key : encodeText(key, what);
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
  return new TextDecoder().decode(key);
}

function encodeText(text: unknown, what: string): Uint8Array {
  if (typeof text !== "string")
    throw invalid(`${what} must be a string or bytes, not ${show(text)}`);
  // Lone surrogates have no UTF-8: two different strings would become the same bytes.
  if (/\p{Surrogate}/u.test(text)) throw invalid(`${what} contains half of a surrogate pair`);
  return encoder.encode(text);
}

function decodeText(stored: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(stored);
}

function encoding(what: string, cause: unknown): ArgumentError {
  return new ArgumentError("ENCODING", `the stored value is no ${what}`, { cause });
}
