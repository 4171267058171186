// All values of a key in the order in which they were emitted, through a combiner that makes text of them, or a list.

const held = [];

export function map(_at, line, emit) {
  const [key, value, ...more] = line.split(" ");
  if (more.length === 0) return emit(key, value);
  // A list, which is something else afterwards.
  held.splice(0, held.length, value, ...more);
  emit(key, held);
}

export function combine(_key, values) {
  const all = [...values].flat();
  const text = all.join(",");
  return text.length % 3 === 0 ? all : text;
}

export const reduce = (_key, values) => [...values].flat().join(",");
