// Accounts with sums, without mistakes: what the planted ones are made of.

export default class Bank {
  accounts = new Map();

  apply({ to, from, amount }) {
    if (from !== undefined && this.sum(from) < amount) throw new Error(`${from} has too little`);
    if (from !== undefined) this.add(from, -amount);
    return this.add(to, amount);
  }

  query(name) {
    return name === "all" ? Object.fromEntries(this.accounts) : this.sum(name);
  }

  snapshot() {
    return this.accounts;
  }

  restore(accounts) {
    this.accounts = new Map(accounts);
  }

  sum(name) {
    return this.accounts.get(name) ?? 0;
  }

  add(name, amount) {
    const sum = this.sum(name) + amount;
    this.accounts.set(name, sum);
    return sum;
  }
}

const names = ["ann", "ben", "cem", "dan"];

/** What clients ask of it. */
export const asked = {
  command: (random) =>
    random() < 0.5
      ? { to: random.pick(names), amount: random.integer(10) }
      : { from: random.pick(names), to: random.pick(names), amount: random.integer(20) },
  query: (random) => (random() < 0.2 ? "all" : random.pick(names)),
};
