// Keys in the order of their numbers, downwards; a number is one key however it is written. Values keep their order.

export const map = (_at, line, emit) => {
  const [key, value] = line.split(" ");
  if (key === "BAD") emit({}, 1);
  else emit(key, value);
};
export const partition = (key, partitions) => Number(key) % partitions;
export const compare = (first, second) => Number(second) - Number(first);
export const combine = (_key, values) => [...values].join("+");
export const reduce = (_key, values) => [...values].join("+");
