// Counts words, and takes its time.

export { combine, reduce } from "./words.mjs";

import { map as words } from "./words.mjs";

export async function map(...given) {
  await new Promise((resolve) => setTimeout(resolve, 2));
  words(...given);
}
