// Counts words. Records that begin with a word of these do what it says.

export const map = (_at, line, emit, { count }) => {
  if (line.startsWith("THROW")) throw new Error(`no use for ${line}`);
  if (line.startsWith("HANG")) for (;;);
  if (line.startsWith("EXIT")) process.exit(3);
  if (line.startsWith("NUMBER")) emit(5, 1);
  count("lines");
  for (const word of line.split(/[^\p{L}]+/u)) if (word !== "") emit(word, 1);
};

export const combine = (_word, counts) => sum(counts);
export const reduce = (_word, counts) => sum(counts);

function sum(counts) {
  let all = 0;
  for (const count of counts) all += count;
  return all;
}
