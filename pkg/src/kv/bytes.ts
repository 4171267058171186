/** Byte strings: written one behind the other, read back, and put in order. */

/** Writes numbers and byte strings one behind the other. */
export class Writer {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** `size` is a guess; it grows. */
  constructor(size = 64) {
    this.#bytes = new Uint8Array(size);
  }

  /** How many bytes were written so far. */
  get length(): number {
    return this.#length;
  }

  byte(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  flag(value: boolean): this {
    return this.byte(value ? 1 : 0);
  }

  /** A whole number from 0 to 2^53 - 1, as a varint: seven bits a byte, the lowest first. */
  number(value: number): this {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) + 0x80);
      rest = Math.floor(rest / 0x80);
    }
    return this.byte(rest);
  }

  /** A whole number of either sign, of at most 2^53 - 1: its sign is the lowest bit. */
  signed(value: number): this {
    const size = value < 0 ? -value - 1 : value;
    const low = (size % 0x40) * 2 + (value < 0 ? 1 : 0);
    return size < 0x40 ? this.byte(low) : this.byte(low + 0x80).number(Math.floor(size / 0x40));
  }

  /** A byte string behind its length. */
  bytes(value: Uint8Array): this {
    this.number(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** 0, or 1 and the byte string. */
  option(value: Uint8Array | undefined): this {
    return value === undefined ? this.byte(0) : this.byte(1).bytes(value);
  }

  /** What was written. */
  finish(): Uint8Array {
    // A part that shares a buffer makes the engine give a small array one; a copy does not.
    return this.#length <= 64
      ? this.#bytes.slice(0, this.#length)
      : this.#bytes.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Reads what a {@link Writer}, or the core, wrote. Byte strings share the buffer. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError("the bytes end too early");
    return byte;
  }

  flag(): boolean {
    const byte = this.byte();
    if (byte > 1) throw new RangeError("a flag is 0 or 1");
    return byte === 1;
  }

  /** Of at most 64 bits, in its shortest form. */
  number(): number {
    let [value, unit] = [0, 1];
    for (;;) {
      const byte = this.byte();
      const isLast = byte < 0x80;
      if ((isLast && byte === 0 && unit > 1) || (unit === 2 ** 63 && byte > 1)) {
        throw new RangeError("a number is too long");
      }
      value += (byte % 0x80) * unit;
      if (isLast) return value;
      unit *= 0x80;
    }
  }

  /** Beyond 2^53 - 1, on either side, it is near the truth. */
  signed(): number {
    const first = this.byte();
    const rest = first < 0x80 ? 0 : this.number();
    const size = rest * 0x40 + Math.floor((first % 0x80) / 2);
    return first % 2 === 0 ? size : -size - 1;
  }

  bytes(): Uint8Array {
    const length = this.number();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("the bytes end too early");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  option<T>(take: (reader: this) => T): T | undefined {
    return this.flag() ? take(this) : undefined;
  }

  /** All that is left, one behind the other. */
  rest<T>(take: (reader: this) => T): T[] {
    const all: T[] = [];
    while (!this.atEnd) all.push(take(this));
    return all;
  }
}

/** Below zero if `a` comes before `b`. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The first key after `key`. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** The first key after all keys that begin with `prefix`; none if there is no such key. */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  const last = prefix.findLastIndex((byte) => byte < 0xff);
  if (last < 0) return undefined;
  const end = prefix.slice(0, last + 1);
  end[last] = (end[last] ?? 0) + 1;
  return end;
}
