/**
 * The jobs as plain programs: one line after the other, on one thread, in JavaScript. What they write is what the cluster
 * should have written. Pure.
 *
 * Lines are bytes as text: a character below 0x80 is itself, another byte one of U+F780 to U+F7FF, as the encoding
 * `x-user-defined` has it. So nothing is lost of bytes that are no UTF-8, and texts are in the order of their bytes.
 */

import { type Choice, PARTITIONS } from "./jobs.js";
import { combine, map } from "./longest.js";

export const BYTES_AS_TEXT = "x-user-defined";

/** A plain program: it is given each line of each file. */
export interface Program {
  line(line: string, file: number, name: string): void;
  /** The lines that it writes, with their ends. */
  written(): string[];
}

/** The program that does what the job does. */
export function programOf({ job, pattern }: Choice): Program {
  switch (job) {
    case "wordcount":
      return wordCount();
    case "index":
      return index();
    case "grep":
      return grep(asText(pattern));
    case "longest":
      return longest();
  }
}

function wordCount(): Program {
  const counts = new Map<string, number>();
  return {
    line: (line) => {
      for (const word of wordsOf(line)) counts.set(word, (counts.get(word) ?? 0) + 1);
    },
    written: () => Array.from(counts, ([word, count]) => `${word}\t${count}\n`).sort(),
  };
}

function index(): Program {
  const files = new Map<string, string[]>();
  return {
    line: (line, _file, name) => {
      for (const word of wordsOf(line)) {
        const known = files.get(word);
        if (known === undefined) files.set(word, [asText(name)]);
        else if (known.at(-1) !== asText(name)) known.push(asText(name));
      }
    },
    written: () => Array.from(files, ([word, names]) => `${word}\t${names.join("\t")}\n`).sort(),
  };
}

/** Its outputs have whole files in them: in the first are the first one, the ninth, and so on. */
function grep(pattern: string): Program {
  const outputs: string[][] = Array.from({ length: PARTITIONS }, () => []);
  return {
    line: (line, file) => {
      if (line.includes(pattern)) outputs[file % PARTITIONS]?.push(`${line}\n`);
    },
    written: () => outputs.flat(),
  };
}

/** With the functions of the job itself. */
function longest(): Program {
  const words = new Map<string, string>();
  const emit = (letter: string, word: string) => {
    words.set(letter, combine(letter, [words.get(letter) ?? "", word]));
  };
  const context = { params: null, partitions: 1, task: 0, input: "", count: () => {} };
  return {
    line: (line) => void map(0, fromText(line), emit, context),
    written: () => Array.from(words, ([letter, word]) => asText(`${letter}\t${word}\n`)).sort(),
  };
}

function wordsOf(line: string): Iterable<string> {
  return line.toLowerCase().match(/[a-z\uf780-\uf7ff]+/g) ?? [];
}

/** The lines of outputs, each of which is in order, in one order. */
export function merged(outputs: readonly (readonly string[])[]): string[] {
  const all: string[] = [];
  const at = outputs.map(() => 0);
  for (;;) {
    let first: number | undefined;
    let least = "";
    for (const [output, lines] of outputs.entries()) {
      const line = lines[at[output] ?? 0];
      if (line === undefined || (first !== undefined && line >= least)) continue;
      [first, least] = [output, line];
    }
    if (first === undefined) return all;
    all.push(least);
    at[first] = (at[first] ?? 0) + 1;
  }
}

/** The bytes behind such a text. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}

const asciiOnly = (text: string) => !/[^\0-\x7f]/.test(text);
const asText = (text: string) =>
  asciiOnly(text) ? text : new TextDecoder(BYTES_AS_TEXT).decode(new TextEncoder().encode(text));
const fromText = (text: string) =>
  asciiOnly(text) ? text : new TextDecoder().decode(bytesOf(text));
