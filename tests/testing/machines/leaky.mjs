// A mistake: what was applied is also counted in the module, where no snapshot has it.

let count = 0;

export default class Leaky {
  sum = 0;

  apply(by) {
    count += 1;
    this.sum += by;
    return count;
  }

  query() {
    return this.sum;
  }

  snapshot() {
    return this.sum;
  }

  restore(sum) {
    this.sum = sum;
  }
}
