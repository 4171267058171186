/** Pairs one behind the other, as the engine takes and gives them. */

import { show } from "../check.js";
import { encode as encodeValue, MAX_MESSAGE_BYTES, messageOf } from "../machine/codec.js";
import { JobError } from "./errors.js";
import type { PairValue } from "./types.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Takes pairs until it is emptied. */
export class Batch {
  #bytes = new Uint8Array(BATCH_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;

  /** Whether it should be emptied before it gets more. */
  get isFull(): boolean {
    return this.#used >= BATCH_BYTES / 2;
  }

  /** The value as it is stored. */
  add(partition: number, key: string, value: Uint8Array): void {
    // A character has at most three bytes in UTF-8.
    this.#reserve(HEADER_BYTES + 3 * key.length + value.length);
    const { written } = encoder.encodeInto(key, this.#bytes.subarray(this.#used + HEADER_BYTES));
    this.#end(partition, written, value);
  }

  /** A pair of bytes. */
  addBytes(partition: number, key: Uint8Array, value: Uint8Array): void {
    this.#reserve(HEADER_BYTES + key.length + value.length);
    this.#bytes.set(key, this.#used + HEADER_BYTES);
    this.#end(partition, key.length, value);
  }

  #end(partition: number, keyBytes: number, value: Uint8Array): void {
    const at = this.#used + HEADER_BYTES + keyBytes;
    this.#bytes.set(value, at);
    this.#view.setUint32(this.#used, partition, true);
    this.#view.setUint32(this.#used + 4, keyBytes, true);
    this.#view.setUint32(this.#used + 8, value.length, true);
    this.#used = at + value.length;
  }

  /** What was added; it stands until the next is. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#used);
    this.#used = 0;
    return taken;
  }

  #reserve(more: number): void {
    if (this.#used + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#used + more, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

export function checkKey(key: unknown): asserts key is string {
  if (typeof key !== "string")
    throw new JobError("EMIT_INVALID", `a key is a text, not ${show(key)}`);
  if (key.length > KEY_MAX)
    throw new JobError("EMIT_INVALID", `a key has at most ${KEY_MAX} characters`);
}

/** A value as it is stored. */
export function valueBytes(value: PairValue | undefined): Uint8Array {
  if (value === undefined) throw new JobError("EMIT_INVALID", "a value is missing");
  try {
    return encodeValue(value, MAX_MESSAGE_BYTES);
  } catch (error) {
    throw new JobError("EMIT_INVALID", `a value cannot be stored: ${messageOf(error)}`);
  }
}

/** What the engine gives: values, with their keys where these change. */
export interface GroupBytes {
  readonly bytes: Uint8Array;
  readonly table: Uint32Array;
}

/** One value; the key is there if it is another than that of the value before. */
export interface GroupValue {
  readonly partition: number;
  readonly key: string | undefined;
  readonly value: Uint8Array;
}

export function* valuesOf({ bytes, table }: GroupBytes): Generator<GroupValue> {
  let at = 0;
  for (let row = 0; row < table.length; row += 3) {
    const keyBytes = table[row + 1] as number;
    let key: string | undefined;
    if (keyBytes !== SAME_KEY) {
      key = decoder.decode(bytes.subarray(at, at + keyBytes));
      at += keyBytes;
    }
    const end = at + (table[row + 2] as number);
    yield { partition: table[row] as number, key, value: bytes.subarray(at, end) };
    at = end;
  }
}

/** In place of a partition: by the hash of the key. */
export const BY_HASH = 0xffff_ffff;
/** So that each pair is one that the engine takes. */
const KEY_MAX = 1 << 20;
const SAME_KEY = 0xffff_ffff;
const HEADER_BYTES = 12;
const BATCH_BYTES = 128 << 10;
