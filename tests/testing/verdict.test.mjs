// The judge alone, given what no correct core and no ordinary machine would show it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bundle } from "../bundle.mjs";

const { codec, execution, surroundings, verdict } = await bundle({
  codec: "machine/codec.ts",
  execution: "testing/simulation/execution.ts",
  surroundings: "testing/simulation/surroundings.ts",
  verdict: "testing/simulation/verdict.ts",
});

class Sum {
  sum = 0;
  apply(by) {
    this.sum += by;
    return this.sum;
  }
  query() {
    return this.sum;
  }
  snapshot() {
    return this.sum;
  }
  restore(sum) {
    this.sum = sum;
  }
  dueAt() {
    return undefined;
  }
  tick() {}
}

const bytes = (value) => codec.encode(value, 1_000);
const place = (index, by, sum, more = {}) => ({
  index,
  term: 1,
  timeMs: index,
  tag: index,
  command: bytes(by),
  reply: bytes(sum),
  node: 1,
  ...more,
});
const tick = (index) => place(index, 0, 0, { tag: undefined, command: bytes(), reply: bytes() });
const call = (tag, value, answer, more = {}) => ({
  tag,
  client: 1,
  isQuery: false,
  bytes: bytes(value),
  invoked: tag,
  knows: tag - 1,
  returned: tag + 0.5,
  reached: tag,
  answer: bytes(answer),
  outcome: "answered",
  ...more,
});

/** What is found of these commands and calls; `model` and `probe` are what the judge's machines do otherwise. */
function judge(log, calls, { model = {}, probe = {}, states = [] } = {}) {
  const executed = new execution.Execution();
  for (const one of log) executed.executed(one);
  for (const [index, state] of states) executed.state(1, index, bytes(state));
  if (executed.failure !== undefined) return executed.failure;
  const sight = {
    surroundings: new surroundings.Surroundings(),
    wall: () => 0,
    chance: { next: () => 0.5 },
  };
  const make = (changes) => () => Object.assign(new Sum(), changes);
  const [one, other] = [make(model), make(probe)];
  const judged = {
    calls,
    execution: executed,
    model: one,
    probe: other,
    sight,
    mayThrow: () => true,
  };
  return verdict.judge(judged, async () => {});
}

const log = [place(1, 2, 2), tick(2), place(3, 5, 7, { tag: 2 })];
const calls = [
  call(1, 2, 2),
  call(2, 5, 7, { reached: 3 }),
  call(3, 0, 7, { isQuery: true, knows: 3, reached: 3 }),
];

test("what one machine would have done is in order", async () => {
  assert.equal(await judge(log, calls), undefined);
});

test("a command that was answered, and that no node executed", async () => {
  const found = await judge(log, [...calls, call(4, 1, 8)]);
  assert.equal(found.kind, "not-linearizable");
  assert.match(found.message, /call 4 of client 1 was answered, and no node executed it/);
});

test("a second execution of another command, or in other circumstances", async () => {
  for (const other of [{ command: bytes(3) }, { tag: 9 }, { term: 2 }, { timeMs: 99 }]) {
    const found = await judge([...log, place(1, 2, 2, { node: 2, ...other })], calls);
    assert.equal(found.kind, "diverged");
    assert.match(found.message, /nodes 1 and 2 were given different commands, number 1 of the log/);
  }
  assert.equal(await judge([...log, place(1, 2, 2, { node: 2 })], calls), undefined);
});

test("a state that is not the model's, behind replies that are", async () => {
  const states = [
    [1, 2],
    [2, 2],
    [3, 7],
  ];
  assert.equal(await judge(log, calls, { states }), undefined);
  for (const at of states.keys()) {
    const found = await judge(log, calls, { states: states.with(at, [at + 1, 8]) });
    assert.equal(found?.kind, "diverged");
    assert.equal(found.index, at + 1);
    assert.deepEqual(found.details, [`state: node 1 8, never restored ${at === 2 ? 7 : 2}`]);
  }
});

test("a state that is not the model's, also where its bytes are no longer remembered", async () => {
  for (const later of [0, 300]) {
    const executed = new execution.Execution();
    executed.state(1, 1, bytes(2));
    for (let index = 2; index < later; index++) executed.state(1, index, bytes(index));
    assert.equal(
      executed.compare(1, () => bytes(2)),
      undefined,
    );
    const found = executed.compare(1, () => bytes(3));
    assert.equal(found.kind, "diverged");
    assert.match(found.message, /up to number 1 of the log, node 1 and a machine that was never/);
    executed.state(2, 1, bytes(4));
    assert.equal(executed.failure.kind, "diverged");
  }
});

test("a machine that fails apart from the nodes is a finding, with its place", async () => {
  for (const [who, method, index] of [
    ["model", "tick", 2],
    ["model", "dueAt", 1],
    ["probe", "restore", 3],
    ["model", "snapshot", 3],
  ]) {
    let times = 0;
    const fails = () => {
      times += 1;
      if (method === "dueAt" && times === 1) return undefined;
      throw new Error("no more");
    };
    const found = await judge(log, calls, { [who]: { [method]: fails } });
    assert.equal(found?.kind, "machine-failed", method);
    assert.equal(found.message.startsWith(`the machine's ${method}() threw: Error: no more`), true);
    assert.equal(found.index, index, method);
  }
});

test("what the model replies and cannot be stored is another reply", async () => {
  const found = await judge(log, calls, { model: { apply: () => new Map() } });
  assert.equal(found.kind, "diverged");
  assert.match(found.details.join(), /never restored: .*a Map/);
});
