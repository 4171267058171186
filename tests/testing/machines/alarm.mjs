// Alarms that are rung by log time.

export default class Alarms {
  alarms = [];
  rung = 0;

  apply(after, { now }) {
    this.alarms.push(now + after);
    this.alarms.sort((a, b) => a - b);
    return this.rung;
  }

  query() {
    return { waiting: this.alarms.length, rung: this.rung };
  }

  dueAt() {
    return this.alarms[0];
  }

  tick({ now }) {
    const due = this.alarms.filter((at) => at <= now);
    this.rung += due.length;
    this.alarms = this.alarms.slice(due.length);
  }

  snapshot() {
    return { alarms: this.alarms, rung: this.rung };
  }

  restore({ alarms, rung }) {
    this.alarms = alarms;
    this.rung = rung;
  }
}
