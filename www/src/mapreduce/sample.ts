/** A text for visitors without one: words as often as in a natural language, the same each time. Pure. */

/** So many files the sample has. */
export const FILES = 8;

/** The parts of one file of the sample, of about `bytes` bytes. */
export function* sample(file: number, bytes: number): Generator<string> {
  const random = randomOf(SEED + file);
  let written = 0;
  while (written < bytes) {
    const lines: string[] = [];
    let length = 0;
    while (length < PART && written + length < bytes) {
      const line = lineOf(random);
      lines.push(line);
      length += line.length;
    }
    written += length;
    yield lines.join("");
  }
}

function lineOf(random: () => number): string {
  const count = 6 + Math.floor(random() * 9);
  let line = "";
  for (let at = 0; at < count; at++) {
    // By Zipf's law: the word of rank n is as often as 1 in n.
    const rank = Math.floor(Math.exp(random() * Math.log(WORDS.length + 1))) - 1;
    const word = WORDS[Math.min(rank, WORDS.length - 1)] ?? "";
    line += at === 0 ? word.charAt(0).toUpperCase() + word.slice(1) : ` ${word}`;
  }
  return `${line}.\n`;
}

/** The next number from 0 to 1, as mulberry32 has it. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Words by how often they are: the first as in English, the rest made of syllables. */
function vocabulary(): readonly string[] {
  const random = randomOf(SEED);
  const pick = (from: string) => from.charAt(Math.floor(random() * from.length));
  const words = new Set(COMMON.split(" "));
  while (words.size < VOCABULARY) {
    let word = "";
    const syllables = 1 + Math.floor(random() * 4);
    for (let at = 0; at < syllables; at++) word += pick("bcdfghjklmnprstvwz") + pick("aeiou");
    words.add(random() < 0.5 ? word : word + pick("nrstl"));
  }
  return [...words];
}

const SEED = 1;
const PART = 1 << 20;
const VOCABULARY = 30_000;
const COMMON =
  "the of and to in a is that it was for on are as with his they be at one have this from or had by but some what there we can out other were all your when up use word how said an each she";
const WORDS = vocabulary();
