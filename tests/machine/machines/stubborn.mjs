// Will not be restored, and says so.

export default class Stubborn {
  count = 0;

  apply() {
    this.count += 1;
  }

  query() {
    return this.count;
  }

  snapshot() {
    return this.count;
  }

  restore() {
    throw new Error("that was another me");
  }
}
