// All values of a key, in the order in which they come, without a combiner; keys go where they say.

export const map = (at, line, emit) => emit(line.slice(0, 1), { at, line });
export const partition = (key, partitions) => key.charCodeAt(0) % partitions;
export const reduce = (_key, values) =>
  [...values].map(({ at, line }) => `${at}:${line}`).join(",");
export const format = (key, value) => `${key}=${value}\n`;
