// Counts words, with a pause at each record where the parameters say so. A record that begins with THROW does.

import { setTimeout as pause } from "node:timers/promises";

export async function map(_at, line, emit, { params }) {
  if (line.startsWith("THROW")) throw new Error(`no use for ${line}`);
  if (params?.pause !== undefined) await pause(params.pause);
  for (const word of line.split(" ")) emit(word, 1);
}

export function reduce(_word, counts) {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}
