import { nowSinceEpoch } from "../clock.js";

/**
 * The order of what a client and a far node say to each other, over a way on which frames come twice, late, and out of order: each
 * bears a number above those before it, and one that does not is dropped. Only so a node's refusal is its last word on a request.
 */
export class Order {
  /** From the clock, so that it is above all that another one before it has given. */
  #given = Math.floor(nowSinceEpoch() * 1_000);
  #taken = 0;

  /** A frame with its number. */
  give(frame: Uint8Array): Uint8Array {
    const numbered = new Uint8Array(NUMBER_BYTES + frame.length);
    this.#given += 1;
    new DataView(numbered.buffer).setFloat64(0, this.#given, true);
    numbered.set(frame, NUMBER_BYTES);
    return numbered;
  }

  /** The frame without its number; undefined if it, or a later one, was taken before. */
  take(numbered: Uint8Array): Uint8Array | undefined {
    if (numbered.length < NUMBER_BYTES) return undefined;
    const view = new DataView(numbered.buffer, numbered.byteOffset, NUMBER_BYTES);
    const number = view.getFloat64(0, true);
    if (!(number > this.#taken)) return undefined;
    this.#taken = number;
    return numbered.subarray(NUMBER_BYTES);
  }
}

const NUMBER_BYTES = 8;
