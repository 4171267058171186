// Accounts with sums. Money is moved, never made: except by a deposit.

export default class Bank {
  accounts = new Map();

  apply({ deposit, transfer, close }) {
    if (deposit !== undefined) return this.#add(deposit.to, deposit.amount);
    if (transfer !== undefined) {
      const { from, to, amount } = transfer;
      const left = this.#balance(from) - amount;
      if (left < 0) throw Object.assign(new RangeError(`${from} has too little`), { code: "POOR" });
      this.#add(from, -amount);
      this.#add(to, amount);
      return { left };
    }
    this.accounts.delete(close);
  }

  query(what) {
    if (what === "total")
      return [...this.accounts.values()].reduce((sum, amount) => sum + amount, 0);
    if (what in { all: 1 }) return Object.fromEntries(this.accounts);
    if (!this.accounts.has(what)) throw new Error(`there is no account ${what}`);
    return this.#balance(what);
  }

  snapshot() {
    return this.accounts;
  }

  restore(accounts) {
    this.accounts = new Map(accounts);
  }

  #balance(name) {
    return this.accounts.get(name) ?? 0;
  }

  #add(name, amount) {
    const sum = this.#balance(name) + amount;
    this.accounts.set(name, sum);
    return sum;
  }
}
