// How large files are, as they are and as servers send them.

import { readFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

export const gzipped = (path) => gzipSync(readFileSync(path), { level: 9 }).length;

/** Bytes of a file: raw, gzip -9 and brotli 11. */
export function compressed(path) {
  const bytes = readFileSync(path);
  const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  return [bytes.length, gzipped(path), brotliCompressSync(bytes, brotli).length];
}

export const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} KB`;
