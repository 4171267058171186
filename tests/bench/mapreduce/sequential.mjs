// sequential.mjs INPUT OUTPUT: counts words as one would without all of this. Bytes are read as Latin-1, so that one stays one.

import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";

const [input, output] = process.argv.slice(2);
const counts = new Map();
const count = (text) => {
  for (const word of text.match(/[A-Za-z\x80-\xff]+/g) ?? [])
    counts.set(word, (counts.get(word) ?? 0) + 1);
};
let rest = "";
for await (const chunk of createReadStream(input, { encoding: "latin1", highWaterMark: 1 << 20 })) {
  const end = chunk.lastIndexOf("\n") + 1;
  count(rest + chunk.slice(0, end));
  rest = chunk.slice(end);
}
count(rest);

function* lines() {
  for (const word of [...counts.keys()].sort()) yield `${word}\t${counts.get(word)}\n`;
}
await pipeline(lines, createWriteStream(output, { encoding: "latin1" }));
