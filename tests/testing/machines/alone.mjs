// A machine that is exported itself, with its state in the module.

let count = 0;

export default {
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
