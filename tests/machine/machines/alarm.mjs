// Rings by itself when it is time; with `broken` it cannot.

export default class Alarm {
  due = null;
  rung = [];

  apply({ after, broken = false }, { now }) {
    this.due = { at: now + after, broken };
    return this.due.at;
  }

  dueAt() {
    return this.due?.at;
  }

  tick({ now }) {
    if (this.due === null || now < this.due.at) return;
    if (this.due.broken) throw new Error("the bell is broken");
    this.rung.push({ at: this.due.at, now });
    this.due = null;
  }

  query() {
    return this.rung;
  }

  snapshot() {
    return { due: this.due, rung: this.rung };
  }

  restore({ due, rung }) {
    this.due = due;
    this.rung = rung;
  }
}
