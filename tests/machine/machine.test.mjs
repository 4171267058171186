// State machines of one's own: what they execute, answer, throw, draw, and do by themselves.

import assert from "node:assert/strict";
import test from "node:test";
import { ArgumentError, CallError, MachineError } from "quorate";
import { failure, others, until } from "../node/help.mjs";
import { openMachine, text } from "./help.mjs";

test("a bank: commands are executed, queries answered, by the leader and by every node", async (t) => {
  const bank = await openMachine(t, "bank");
  assert.equal(await bank.execute({ deposit: { to: "a", amount: 10 } }), 10);
  assert.deepEqual(await bank.execute({ transfer: { from: "a", to: "b", amount: 3 } }), {
    left: 7,
  });
  assert.deepEqual(await bank.query("all"), { a: 7, b: 3 });
  for (const node of bank.nodes) assert.equal(await node.query("total"), 10);
  assert.equal(await bank.execute({ close: "nobody" }), undefined);
  await bank.node(await bank.leader()).kill();
  assert.deepEqual(await bank.execute({ transfer: { from: "a", to: "b", amount: 7 } }), {
    left: 0,
  });
  assert.equal(await bank.query("b"), 10);
});

test("what a machine throws is the result of the command, on every node, and no crash", async (t) => {
  const bank = await openMachine(t, "bank");
  await bank.execute({ deposit: { to: "a", amount: 1 } });
  const poor = await failure(
    bank.execute({ transfer: { from: "a", to: "b", amount: 2 } }),
    "MACHINE_THREW",
  );
  assert.ok(poor instanceof MachineError);
  assert.equal(poor.message, "a has too little");
  assert.deepEqual(poor.thrown, { name: "RangeError", message: "a has too little", code: "POOR" });
  assert.equal(poor.outcome, "applied");
  assert.equal(poor.retryable, false);
  const absent = await failure(bank.query("nobody"), "MACHINE_THREW");
  assert.equal(absent.message, "there is no account nobody");
  assert.equal(absent.outcome, "not-applied");
  await failure(bank.node(1).query("nobody"), "MACHINE_THREW");
  assert.deepEqual(await bank.query("all"), { a: 1 });
  for (const node of bank.nodes) assert.equal(node.state, "running");
});

test("anything can be thrown", async (t) => {
  const echo = await openMachine(t, "echo", { nodes: 1 });
  const thrown = async (command) => (await failure(echo.execute(command), "MACHINE_THREW")).thrown;
  assert.deepEqual(await thrown("text"), { name: "Error", message: "this is just text" });
  const { message } = await thrown("odd");
  assert.equal(message, "what was thrown cannot be read");
  const { name, code, message: long } = await thrown("long");
  assert.deepEqual([name, code, long.length], ["TypeError", 7, 1000]);
});

test("values come back as they went: JSON, bytes, and nothing", async (t) => {
  const echo = await openMachine(t, "echo", { nodes: 1 });
  const values = [
    null,
    true,
    -1.5,
    "ü\ud800\0",
    [],
    {},
    [[{ a: [null] }]],
    { "": 1, b: { c: "d" } },
  ];
  for (const value of values) {
    assert.deepEqual(await echo.execute(value), value);
    assert.deepEqual(await echo.query("last"), value);
  }
  assert.deepEqual(await echo.execute(Uint8Array.of(0, 1, 255)), Uint8Array.of(0, 1, 255));
  assert.deepEqual(await echo.execute(new Uint8Array(0)), new Uint8Array(0));
  assert.equal(await echo.execute(undefined), undefined);
  assert.equal(await echo.execute("nothing"), undefined);
  assert.deepEqual(await echo.execute({ a: undefined, b: 1 }), { b: 1 });
  assert.equal((await echo.query("big")).length, (1 << 20) + 10, "answers may be larger");
});

test("a command that cannot be stored is refused before it is sent", async (t) => {
  const echo = await openMachine(t, "echo", { nodes: 1 });
  const cycle = {};
  cycle.self = cycle;
  for (const [value, what] of [
    [new Map(), /a Map/],
    [{ list: [1, { at: new Date() }] }, /a Date at \.list\[1\]\.at/],
    [Number.NaN, /NaN/],
    [[undefined], /undefined at \[0\]/],
    [1n, /a bigint/],
    [() => 1, /a function/],
    [cycle, /256 values in one another/],
    [{ bytes: new Uint8Array(1) }, /a Uint8Array at \.bytes/],
    ["x".repeat(1 << 20), /of at most 1048576/],
  ]) {
    const refused = await failure(echo.execute(value), "INVALID_ARGUMENT");
    assert.ok(refused instanceof ArgumentError);
    assert.match(refused.message, what);
    assert.match((await failure(echo.query(value), "INVALID_ARGUMENT")).message, what);
  }
  assert.equal(await echo.query("last"), null, "nothing was executed");
});

test("a reply that cannot be stored is an error, and the command was executed", async (t) => {
  const echo = await openMachine(t, "echo");
  for (const [command, what] of [
    ["map", /a Map$/],
    ["date", /a Date at \.at\[1\]/],
    ["nan", /NaN at \.list\[1\]/],
    ["bigint", /a bigint/],
    ["promise", /a promise/],
    ["getter", /do not look/],
    ["large", /of at most 1048576/],
  ]) {
    const error = await failure(echo.execute(command), "MACHINE_REPLY");
    assert.ok(error instanceof MachineError);
    assert.match(error.message, what);
    assert.equal(error.outcome, "applied");
    assert.equal(await echo.query("last"), command);
  }
  const error = await failure(echo.query("map"), "MACHINE_REPLY");
  assert.equal(error.outcome, "not-applied");
  for (const node of echo.nodes) assert.equal(node.state, "running");
});

test("the context is the same on every node: place in the log, term, time and chance", async (t) => {
  const cluster = await openMachine(t, "notes");
  await cluster.execute("first");
  await cluster.node(await cluster.leader()).kill();
  for (const command of ["second", "third"]) await cluster.execute(command);
  for (const node of cluster.nodes) await node.start();
  const notes = await cluster.query(null);
  for (const node of cluster.nodes) assert.deepEqual(await node.query(null), notes);
  const [first, second, third] = notes;
  assert.ok(first.index < second.index && second.index < third.index);
  assert.ok(first.term < second.term && second.term === third.term);
  assert.ok(first.now <= second.now && second.now <= third.now);
  const drawn = notes.flatMap((note) => note.drawn);
  assert.equal(new Set(drawn).size, 6, "each draw is another");
  for (const number of drawn) assert.ok(number >= 0 && number < 1);
});

test("a machine does what is due by itself, by the time of the log", async (t) => {
  const alarm = await openMachine(t, "alarm");
  const at = await alarm.execute({ after: 300 });
  assert.deepEqual(await alarm.query(null), []);
  await until(async () => (await alarm.query(null)).length > 0, "the alarm rings");
  const [rung, ...more] = await alarm.query(null);
  assert.deepEqual(more, []);
  assert.equal(rung.at, at);
  assert.ok(rung.now >= at, "never early");
  for (const node of alarm.nodes) assert.deepEqual(await node.query(null), [rung]);
});

test("a tick that throws has nobody to tell: nodes halt until no majority is left, and say why", async (t) => {
  const alarm = await openMachine(t, "alarm");
  const halted = () => alarm.nodes.filter(({ state }) => state === "halted");
  await alarm.execute({ after: 0, broken: true });
  await until(() => halted().length >= 2, "nodes halt");
  for (const { reason } of halted()) {
    assert.equal(reason.code, "MACHINE_FAILED");
    assert.match(reason.message, /tick\(\) threw.*the bell is broken/);
  }
});

test("calls end by deadline and signal, as those of the store", async (t) => {
  const bank = await openMachine(t, "bank");
  await bank.execute({ deposit: { to: "a", amount: 1 } });
  const aborted = AbortSignal.abort(new Error("never mind"));
  const gone = await failure(bank.execute({ close: "a" }, { signal: aborted }), "ABORTED");
  assert.equal(gone.outcome, "not-applied");
  await failure(bank.query("a", { signal: aborted }), "ABORTED");
  const leader = await bank.leader();
  for (const id of others(bank, leader)) await bank.node(id).kill();
  const late = await failure(bank.execute({ close: "a" }, { timeout: 700 }), "NO_QUORUM");
  assert.ok(late instanceof CallError);
  await failure(bank.query("a", { timeout: 500 }), "NO_QUORUM");
  assert.equal(await bank.query("a", { serializable: true }), 1, "an old state is there");
  await failure(bank.query("a", { serial: true }), "INVALID_ARGUMENT");
  await failure(bank.query("a", { serializable: 1 }), "INVALID_ARGUMENT");
  await failure(bank.execute("a", { serializable: true }), "INVALID_ARGUMENT");
  await bank.close();
  await failure(bank.execute({ close: "a" }), "CLOSED");
  await failure(bank.query("a"), "CLOSED");
});

test("a machine may be a class, an object, or a function that makes one", async (t) => {
  const count = await openMachine(t, "counter", { nodes: 1 });
  assert.equal(await count.execute(2), 2);
  assert.equal(await count.execute(3), 5);
  const code = `
    export default function Old() { this.sum = 1; }
    Object.assign(Old.prototype, {
      apply(by) { return (this.sum += by); }, query() { return this.sum; },
      snapshot() { return this.sum; }, restore(sum) { this.sum = sum; },
    });`;
  const old = await openMachine(t, "counter", { nodes: 1, machine: text(code).href });
  assert.equal(await old.execute(1), 2);
});
