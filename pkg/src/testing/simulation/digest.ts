/** A 64-bit fingerprint of what happened; no defense against anyone. */

export class Digest {
  #high = 0x9e3779b9;
  #low = 0x85ebca6b;

  number(value: number): void {
    this.#mix(value | 0);
    this.#mix((value / 2 ** 32) | 0);
  }

  bytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#mix(byte);
    this.#mix(bytes.length);
  }

  /** Sixteen hexadecimal digits. */
  toString(): string {
    return [this.#high, this.#low]
      .map((half) => (half >>> 0).toString(16).padStart(8, "0"))
      .join("");
  }

  #mix(word: number): void {
    const [high, low] = [this.#high, this.#low];
    this.#high = Math.imul(high ^ word, 0x9e3779b1) ^ (low >>> 15);
    this.#low = Math.imul(low ^ word, 0x85ebca77) ^ (high >>> 13);
  }
}
