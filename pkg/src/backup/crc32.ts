/** CRC-32 as in gzip and zip, piece by piece. */

let table: Uint32Array | undefined;

/** The checksum of what `before` is the checksum of, and `bytes` behind it. Of nothing it is 0. */
export function crc32(bytes: Uint8Array, before = 0): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ POLYNOMIAL : rest >>> 1;
    return rest;
  });
  let rest = ~before;
  for (const byte of bytes) rest = (table[(rest ^ byte) & 0xff] ?? 0) ^ (rest >>> 8);
  return ~rest >>> 0;
}

const POLYNOMIAL = 0xedb88320;
