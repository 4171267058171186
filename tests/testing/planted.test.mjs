// Mistakes that people make in machines, each planted alone, and found within a few seeds.

import assert from "node:assert/strict";
import { test } from "node:test";

import { replay, simulate } from "../../pkg/dist/testing.js";
import Bank, { asked } from "./machines/bank.mjs";

const seeds = 10;

/** Finds the mistake as one of these kinds; replays it; and reports it with these words. */
function finds(name, kinds, machine, { words = [], ...options } = {}) {
  test(`found: ${name}`, async () => {
    const result = await simulate(machine, { ...asked, seeds, ...options });
    assert.ok(!result.ok, "nothing was found");
    assert.ok(kinds.includes(result.failure.kind), result.report);
    for (const word of [`seed ${result.seed}`, "replay(", ...words]) {
      assert.ok(result.report.includes(word), `no "${word}" in: ${result.report}`);
    }
    assert.throws(
      () => result.assert(),
      (error) => error.message === result.report,
    );

    const { mayThrow } = options;
    const trace = JSON.parse(JSON.stringify(result.trace));
    const again = await replay(machine, trace, mayThrow ? { mayThrow } : {});
    assert.deepEqual(again.failure, result.failure);
    assert.equal(again.hash, result.hash);
  });
}

finds(
  "it reads the clock",
  ["diverged"],
  class Stamped extends Bank {
    apply(command) {
      return { sum: super.apply(command), at: Date.now() };
    }
  },
  { words: ["apply: Date.now()", "replied otherwise to the same command,"] },
);

finds(
  "it reads the clock by a new Date, into its state alone",
  ["diverged"],
  class Dated extends Bank {
    apply(command) {
      this.accounts.set("last", new Date().toISOString());
      super.apply(command);
    }
  },
  { words: ["apply: new Date()", "had other states"] },
);

finds(
  "it draws from Math.random",
  ["diverged"],
  class Lucky extends Bank {
    apply(command) {
      return super.apply({ ...command, amount: command.amount + Math.floor(Math.random() * 2) });
    }
  },
  { words: ["apply: Math.random()"] },
);

finds(
  "it draws ids from crypto",
  ["diverged"],
  class Named extends Bank {
    apply(command) {
      super.apply(command);
      return crypto.randomUUID();
    }
  },
  { words: ["apply: crypto.randomUUID()"] },
);

finds(
  "it loses the update that came just before a snapshot",
  ["diverged", "restore"],
  class Late extends Bank {
    pending = undefined;
    apply(command) {
      if (this.pending !== undefined) super.apply(this.pending);
      this.pending = { to: command.to, amount: command.amount };
    }
  },
);

finds(
  "its snapshot leaves a field out",
  ["diverged"],
  class Forgetful extends Bank {
    commands = 0;
    apply(command) {
      this.commands += 1;
      super.apply(command);
      return this.commands;
    }
  },
  { words: ["a machine that was never restored"] },
);

finds(
  "its restore takes the half",
  ["restore"],
  class Half extends Bank {
    restore(accounts) {
      super.restore([...accounts].slice(1));
    }
  },
  { words: ["snapshotted"] },
);

finds(
  "its snapshot throws",
  ["machine-failed"],
  class Broken extends Bank {
    snapshot() {
      if (this.accounts.size > 2) throw new Error("too many accounts");
      return super.snapshot();
    }
  },
  { words: ["too many accounts"] },
);

finds(
  "apply throws by mistake",
  ["threw"],
  class Clumsy extends Bank {
    apply(command) {
      if (command.amount === 7) return command.nothing.at;
      return super.apply(command);
    }
  },
  { words: ["apply() threw TypeError: Cannot read", "mayThrow"] },
);

finds(
  "apply changes the state and throws then",
  ["half-done"],
  class HalfWay extends Bank {
    apply({ from, to, amount }) {
      this.add(to, amount);
      if (from !== undefined && this.sum(from) < amount) throw new Error("too little");
      return from === undefined ? 0 : this.add(from, -amount);
    }
  },
  { words: ["nothing is rolled back"] },
);

finds(
  "a query is stale: its answer is kept, and never renewed",
  ["not-linearizable"],
  class Stale extends Bank {
    kept = new Map();
    query(name) {
      if (!this.kept.has(name)) this.kept.set(name, super.query(name));
      return this.kept.get(name);
    }
  },
  { words: ["no state that call", "It must show the state after"] },
);

finds(
  "a query lags one command behind",
  ["not-linearizable"],
  class Lagging extends Bank {
    shown = undefined;
    apply(command) {
      this.shown = new Map(this.accounts);
      return super.apply(command);
    }
    query(name) {
      const shown = this.shown ?? this.accounts;
      return name === "all" ? Object.fromEntries(shown) : (shown.get(name) ?? 0);
    }
  },
  // So that nobody goes back in time: only what was told of commands shows it.
  { faults: "none", nodes: 1 },
);

finds(
  "a query changes the state",
  ["query-changed"],
  class Curious extends Bank {
    query(name) {
      return this.add(name, 0);
    }
  },
);

finds(
  "it rests on the order of a Map, which its snapshot sorts",
  ["diverged", "restore"],
  class Ordered extends Bank {
    apply(command) {
      super.apply(command);
      const [first] = this.accounts.keys();
      return first;
    }
    snapshot() {
      return [...this.accounts].sort();
    }
  },
);

finds(
  "it has state in its module",
  ["diverged"],
  new URL("./machines/leaky.mjs", import.meta.url),
  {
    command: (random) => random.integer(10),
    query: () => "sum",
  },
);

finds(
  "it replies what cannot be stored",
  ["reply"],
  class Rich extends Bank {
    apply(command) {
      super.apply(command);
      return { accounts: this.accounts };
    }
  },
  { words: ["a Map"] },
);

finds(
  "its dueAt looks at the clock",
  ["machine-failed"],
  class Impatient extends Bank {
    born = Date.now();
    dueAt() {
      if (Date.now() - this.born > 3_000) throw new Error("too late");
      return undefined;
    }
    tick() {}
  },
  { words: ["too late", "dueAt: Date.now()"] },
);
