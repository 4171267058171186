// Not deterministic: it asks the platform for chance.

export default class Dice {
  thrown = 0;

  apply() {
    this.thrown = Math.random();
  }

  query() {
    return this.thrown;
  }

  snapshot() {
    return this.thrown;
  }

  restore(thrown) {
    this.thrown = thrown;
  }
}
