/** Chance for machines: the same on every node, and in every version, because logs are replayed. */

/** Numbers from 0 up to but without 1, of 53 bits. The generator is sfc32. */
export function randomOf(index: number, term: number): () => number {
  let [a, b, c, counter] = [index | 0, (index / 2 ** 32) | 0, term | 0, ((term / 2 ** 32) | 0) + 1];
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum;
  };
  // Until each bit of the seed has reached all of the state.
  for (let round = 0; round < 15; round++) next();
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
}
