// Counts words. Now and then it says nothing for longer than a lease of a second, as a worker does that has crashed or hangs.

import { reduce as sum, map as words } from "./words.mjs";

const stall = async (chance) => {
  if (Math.random() < chance) await new Promise((resolve) => setTimeout(resolve, 2_500));
};

export async function map(...given) {
  await stall(0.005);
  await new Promise((resolve) => setTimeout(resolve, 2));
  words(...given);
}

export async function reduce(...given) {
  await stall(0.02);
  return sum(...given);
}
