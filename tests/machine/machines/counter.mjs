// The smallest machine, made by a function.

export default () => {
  let count = 0;
  return {
    apply: (by) => {
      count += by;
      return count;
    },
    query: () => count,
    snapshot: () => count,
    restore: (snapshot) => {
      count = snapshot;
    },
  };
};
