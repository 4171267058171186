// A text with natural frequencies of words, always the same for the same size.

import { createHash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { Failure } from "../../../scripts/lib/run.mjs";

/** Writes so many bytes of text to a file, unless they are there. A failure if the disk has not room for them and for as much again. */
export async function makeCorpus(path, bytes) {
  const note = `${path}.sha256`;
  if (await isWhole(path, bytes, note)) return;
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  const { bavail, bsize } = statfsSync(dirname(path));
  // Pairs between map and reduce, what sort puts aside, and results.
  if (bavail * bsize < 3 * bytes)
    throw new Failure(`${(bavail * bsize) / 1e6} MB are free of the ${(3 * bytes) / 1e6} it takes`);
  const part = `${path}.part`;
  const hash = createHash("sha256");
  const file = openSync(part, "w");
  try {
    for (const chunk of text(bytes)) {
      hash.update(chunk);
      writeSync(file, chunk);
    }
  } finally {
    closeSync(file);
  }
  writeFileSync(note, hash.digest("hex"));
  renameSync(part, path);
}

async function isWhole(path, bytes, note) {
  try {
    if (statSync(path).size !== bytes) return false;
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }))
      hash.update(chunk);
    return hash.digest("hex") === readFileSync(note, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return false;
    throw error;
  }
}

/** Chunks of so many bytes in all: lines of some ten words. A chunk stands until the next is asked for. */
function* text(bytes) {
  const random = generator(8);
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const common = Array.from({ length: CACHED }, (_, rank) => wordOf(rank + 1));
  const words = rankOf();
  for (let left = bytes; left > 0; ) {
    let at = 0;
    for (let inLine = 1; at < CHUNK_BYTES - LONGEST; inLine++) {
      const rank = words(random());
      at += (common[rank - 1] ?? wordOf(rank)).copy(chunk, at);
      const dice = random();
      if (dice < 0.12) chunk[at++] = dice < 0.06 ? COMMA : STOP;
      const isEnd = inLine >= 7 && random() < 0.25;
      chunk[at++] = isEnd ? LINE_FEED : SPACE;
      if (isEnd) inLine = 0;
    }
    const taken = Math.min(at, left);
    left -= taken;
    yield chunk.subarray(0, taken);
  }
}

/**
 * From a number in 0 to 1 the rank of a word. Frequencies fall with the rank (Zipf), and faster among rare words, so that as
 * many new words turn up as in natural text: some 250,000 in 100 MB.
 */
function rankOf() {
  const head = new Float64Array(KNEE);
  let total = 0;
  for (let rank = 1; rank <= KNEE; rank++) {
    total += 1 / rank;
    head[rank - 1] = total;
  }
  // The integral of what is behind the knee.
  const all = total + 1 / (SLOPE - 1);
  return (random) => {
    const at = random * all;
    if (at >= total) {
      const rest = Math.max((all - at) * (SLOPE - 1), 1e-6);
      return 1 + Math.floor(KNEE * rest ** (-1 / (SLOPE - 1)));
    }
    let [low, high] = [0, KNEE - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (head[middle] <= at) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}

/** The word of a rank: the rarer, the longer; some with a capital, some with letters beyond ASCII. */
function wordOf(rank) {
  const random = generator(rank);
  const length = 2 + Math.floor(Math.log2(rank) / 3 + 3 * random());
  let word = "";
  while (word.length < length) {
    const dice = random();
    word +=
      dice < 0.02
        ? BEYOND[Math.floor(dice * 50 * BEYOND.length)]
        : LETTERS[Math.floor(random() * LETTERS.length)];
  }
  if (random() < 0.1) word = word[0].toUpperCase() + word.slice(1);
  return Buffer.from(word);
}

/** Numbers in 0 to 1, the same for the same seed (mulberry32). */
function generator(seed) {
  let state = Math.imul(seed, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const KNEE = 2_300;
const SLOPE = 1.67;
const CACHED = 50_000;
/** As often as they stand here. */
const LETTERS = "eeeeetttaaaooiinnsshhrrdllcumwfgypbvkjxqz";
const BEYOND = "öäüßéèñ水";
const CHUNK_BYTES = 1 << 20;
/** A word, and what follows it, is shorter. */
const LONGEST = 128;
const [COMMA, STOP, SPACE, LINE_FEED] = Buffer.from(",. \n");
