// Counts words, and takes its time for each of them.

export { map } from "./words.mjs";

import { reduce as sum } from "./words.mjs";

export async function reduce(...given) {
  await new Promise((resolve) => setTimeout(resolve, 10));
  return sum(...given);
}
