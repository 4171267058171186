// Simulated clusters of machines without mistakes; equal seeds; what callers get wrong.

import assert from "node:assert/strict";
import { test } from "node:test";

import { replay, simulate } from "../../pkg/dist/testing.js";
import Bank, { asked } from "./machines/bank.mjs";

const machine = (name) => new URL(`./machines/${name}.mjs`, import.meta.url);

test("a machine without mistakes is clean in fifty worlds, with all faults", async () => {
  const met = {};
  for (let seed = 1; seed <= 50; seed++) {
    const result = await simulate(Bank, { ...asked, seed, seconds: 5, nodes: 1 + (seed % 5) });
    result.assert();
    assert.equal(result.verdict, "linearizable");
    for (const [name, count] of Object.entries({ ...result.counts, ...result.counts.faults })) {
      met[name] = (met[name] ?? 0) + count;
    }
  }
  for (const [name, count] of Object.entries(met)) assert.ok(count !== 0, `${name} never came up`);
});

test("queries that end out of order on one value are explained", async () => {
  class Register {
    value = 0;
    apply(value) {
      this.value = value;
      return null;
    }
    query() {
      return this.value;
    }
    snapshot() {
      return this.value;
    }
    restore(value) {
      this.value = value;
    }
  }
  // In these worlds one that may show an earlier state ends after one that has to wait for it.
  for (const seed of [341, 546]) {
    let last = 0;
    const options = { clients: 6, seconds: 6, command: () => ++last, query: () => 0 };
    (await simulate(Register, { seed, ...options })).assert();
  }
});

test("a machine of a module, and one that is exported itself", async () => {
  const bank = await simulate(machine("bank"), { ...asked, seeds: 5, seconds: 5 });
  bank.assert();
  const alone = { command: (random) => random.integer(5), query: () => "count", seeds: 5 };
  (await simulate(machine("alone"), { ...alone, seconds: 5 })).assert();
});

test("a machine that waits for log time", async () => {
  const { default: Alarms } = await import("./machines/alarm.mjs");
  const command = (random) => random.integer(2_000);
  const result = await simulate(Alarms, { command, query: () => "all", seeds: 10, seconds: 5 });
  result.assert();
});

test("a factory; bytes and nothing as commands", async () => {
  const make = () => {
    let bytes = new Uint8Array(0);
    return {
      apply: (command) => {
        bytes = command ?? new Uint8Array(0);
      },
      query: () => bytes,
      snapshot: () => bytes,
      restore: (snapshot) => {
        bytes = snapshot;
      },
    };
  };
  const command = (random) => (random() < 0.5 ? undefined : Uint8Array.of(random.integer(256), 1));
  const query = (random) => (random() < 0.5 ? undefined : Uint8Array.of(1));
  const result = await simulate(make, { command, query, seeds: 3, seconds: 3 });
  result.assert();
  const again = await replay(make, JSON.parse(JSON.stringify(result.trace)));
  assert.equal(again.hash, result.hash);
  assert.deepEqual(again.history, result.history);
});

test("equal seeds are equal worlds, others are others", async () => {
  const hash = async (seed) => (await simulate(Bank, { ...asked, seed, seconds: 3 })).hash;
  assert.equal(await hash(7), await hash(7));
  assert.notEqual(await hash(7), await hash(8));
  assert.match(await hash(7), /^[0-9a-f]{16}$/);
});

test("the history says what each client asked and was told, and when", async () => {
  const { history, counts, verdict } = await simulate(Bank, { ...asked, seed: 3, seconds: 5 });
  assert.equal(verdict, "linearizable");
  assert.equal(history.length, counts.calls);
  const answered = history.filter(({ outcome }) => outcome === "answered");
  assert.ok(answered.length > 20);
  for (const { invoked, returned, command, query, index } of answered) {
    assert.ok(returned >= invoked);
    assert.equal(command === undefined, index === undefined);
    assert.notEqual(command === undefined, query === undefined);
  }
  assert.ok(history.some(({ thrown }) => thrown?.message.includes("too little")));
});

test("without faults every call is answered, once there is a leader", async () => {
  const { counts, history } = await simulate(Bank, { ...asked, faults: "none", seconds: 5 });
  const later = history.filter(({ invoked }) => invoked > 2);
  assert.ok(later.length > 100);
  for (const { outcome } of later) assert.ok(["answered", "threw"].includes(outcome), outcome);
  assert.ok(Object.values(counts.faults).every((count) => count === 0));
});

test("only the faults that are asked for come", async () => {
  const { counts } = await simulate(Bank, { ...asked, faults: { crashes: true }, seed: 2 });
  assert.ok(counts.faults.crashes > 0);
  const others = Object.entries(counts.faults).filter(([name]) => name !== "crashes");
  assert.ok(others.every(([, count]) => count === 0));
});

test("what fails is made smaller", async () => {
  class Odd extends Bank {
    apply(command) {
      super.apply(command);
      return Math.random();
    }
  }
  const large = await simulate(Odd, { ...asked, clients: 8, nodes: 5, shrink: false });
  const small = await simulate(Odd, { ...asked, clients: 8, nodes: 5 });
  assert.equal(large.trace.clients, 8);
  assert.ok(small.trace.clients < 8 && small.trace.nodes < 5);
  assert.deepEqual(small.trace.faults, []);
  assert.ok(small.history.length < large.history.length);
});

test("what a machine sees of the clock is over with its call", async () => {
  const before = [Date, Math.random, performance.now, crypto.randomUUID];
  class Looks extends Bank {
    query(name) {
      assert.ok(new Date(5).getTime() === 5 && new Date() instanceof Date);
      assert.ok(Date.now() < 1_800_000_000_000 && performance.now() >= 0);
      return super.query(name);
    }
  }
  const result = await simulate(Looks, { ...asked, seconds: 2 });
  result.assert();
  assert.ok(result.looks["query: Date.now()"] > 0);
  assert.deepEqual([Date, Math.random, performance.now, crypto.randomUUID], before);
});

test("errors of one's own may be allowed, or forbidden", async () => {
  const strict = await simulate(Bank, { ...asked, mayThrow: () => false, seconds: 3 });
  assert.equal(strict.failure.kind, "threw");
  class Coded extends Bank {
    apply(command) {
      if (command.amount === 3) throw new RangeError("three");
      return super.apply(command);
    }
  }
  assert.equal((await simulate(Coded, { ...asked, seconds: 3 })).failure.kind, "threw");
  const mayThrow = ({ name }, { amount }) => name === "Error" || amount === 3;
  (await simulate(Coded, { ...asked, seconds: 3, mayThrow })).assert();
});

test("a signal ends it", async () => {
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  await assert.rejects(simulate(Bank, { ...asked, signal }), reason);
  const controller = new AbortController();
  const command = (random) => {
    if (random() < 0.01) controller.abort(reason);
    return asked.command(random);
  };
  const endless = { ...asked, command, seconds: 3_600, signal: controller.signal };
  await assert.rejects(simulate(Bank, endless), reason);
});

test("what callers get wrong is refused", async () => {
  const wrong = { name: "ArgumentError", code: "INVALID_ARGUMENT" };
  for (const options of [
    undefined,
    {},
    { ...asked, sedes: 1 },
    { ...asked, nodes: 8 },
    { ...asked, nodes: 0 },
    { ...asked, clients: 65 },
    { ...asked, seconds: -1 },
    { ...asked, seed: 0.5 },
    { ...asked, seeds: 0 },
    { ...asked, faults: "some" },
    { ...asked, faults: { fire: true } },
    { ...asked, faults: { crashes: 1 } },
    { ...asked, query: "all" },
    { ...asked, shrink: 1 },
    { ...asked, command: () => new Map() },
  ]) {
    await assert.rejects(simulate(Bank, options), wrong, JSON.stringify(options));
  }
  await assert.rejects(simulate(new Bank(), asked), wrong);
  await assert.rejects(replay(Bank, { version: 2 }), wrong);
  class NoMachine {}
  await assert.rejects(simulate(NoMachine, asked), { code: "MACHINE_INVALID" });
  await assert.rejects(simulate(machine("none"), asked), { code: "MACHINE_LOAD" });
  const relative = { ...wrong, message: /new URL\("\.\/machine\.js", import\.meta\.url\)/ };
  await assert.rejects(simulate("./machines/bank.mjs", asked), relative);
  await assert.rejects(
    simulate(Bank, {
      command: () => {
        throw new Error("no idea");
      },
    }),
    /no idea/,
  );
});

test("a constructor that throws after a while is a finding", async () => {
  let made = 0;
  class Tired extends Bank {
    constructor() {
      super();
      made += 1;
      if (made > 6) throw new Error("too many banks");
    }
  }
  const result = await simulate(Tired, { ...asked, shrink: false });
  assert.equal(result.failure.kind, "machine-failed");
  assert.match(result.report, /^simulation: seed 1: machine-failed.*too many banks/s);
});

test("what the caller's functions throw while it looks for a smaller world leaves what was found", async () => {
  class Odd extends Bank {
    apply(command) {
      super.apply(command);
      return Math.random();
    }
  }
  let worlds = 0;
  let random;
  const command = (its, client) => {
    if (client === 1 && its !== random) {
      random = its;
      worlds += 1;
    }
    if (worlds > 2) throw new Error("no further worlds");
    return asked.command(its);
  };
  const result = await simulate(Odd, { command });
  assert.equal(result.failure.kind, "diverged");
  assert.ok(worlds > 2);
});

test("a trace keeps what was asked, whatever becomes of the caller's objects", async () => {
  const shared = { to: "ann", amount: 1 };
  const command = () => {
    shared.amount += 1;
    return shared;
  };
  const result = await simulate(Bank, { command, seconds: 2 });
  const [first, second] = result.trace.calls[0];
  assert.notEqual(first.command.amount, second.command.amount);
  const again = await replay(Bank, result.trace);
  assert.equal(again.hash, result.hash);
  assert.notEqual(again.trace.calls[0][0].command, first.command);
});

test("worlds in which nothing is found share the modules of a URL", async () => {
  const result = await simulate(machine("counted"), { ...asked, seeds: 12, seconds: 1 });
  result.assert();
  assert.equal(result.worlds, 12);
  // Those of all worlds but the last, and those of the last: three nodes and two models each.
  assert.equal(globalThis.loadsOfCounted, 10);
});

test("timers that a test has replaced do not stop it", async (t) => {
  t.mock.timers.enable();
  const result = await simulate(Bank, { ...asked, seconds: 5 });
  assert.ok(result.counts.events > 2_000);
  result.assert();
});
