// Its snapshot holds what cannot be stored once it has counted to thirty; with `?mended` it does not.

const mended = import.meta.url.endsWith("?mended");

export default class Fragile {
  count = 0;

  apply() {
    this.count += 1;
    return this.count;
  }

  query() {
    return this.count;
  }

  snapshot() {
    if (this.count >= 30 && !mended) return { count: new Date(this.count) };
    return { count: this.count };
  }

  restore({ count }) {
    this.count = count;
  }
}
