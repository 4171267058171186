// For each word the inputs that have it. A partition whose word is slow takes its time.

export function map(_at, line, emit, { input }) {
  for (const word of line.split(/[^\p{L}]+/u)) if (word !== "") emit(word, input);
}

export async function reduce(word, inputs) {
  if (word === "slow") await new Promise((resolve) => setTimeout(resolve, 400));
  const names = [...new Set(inputs)].sort();
  return `${names.length} ${names.join(",")}`;
}
