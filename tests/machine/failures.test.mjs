// Machines that cannot be: modules that do not load, states that part, snapshots that cannot be stored, foreign storage.

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { ArgumentError, Cluster, MachineError } from "quorate";
import { event, failure, others, picture, scratch, until } from "../node/help.mjs";
import { machine, openMachine, text } from "./help.mjs";

const whole = {
  apply: "() => 1",
  query: "() => 1",
  snapshot: "() => 1",
  restore: "() => {}",
};
const withMethods = (methods) =>
  `export default { ${Object.entries({ ...whole, ...methods })
    .map(([name, code]) => `${name}: ${code}`)
    .join(", ")} };`;

test("a module that does not load fails the opening, and leaves nothing behind", async (t) => {
  const directory = join(scratch(t), "state");
  for (const [module, what] of [
    [new URL("./machines/absent.mjs", import.meta.url), /absent\.mjs/],
    [text("export default {"), /does not load/],
    [text("throw new Error('not today')"), /not today/],
    [text("import 'nowhere'"), /nowhere/],
  ]) {
    const opening = Cluster.open({
      name: "test",
      machine: module,
      storage: "directory",
      directory,
    });
    const error = await failure(opening, "MACHINE_LOAD");
    assert.ok(error instanceof MachineError);
    assert.match(error.message, what);
  }
  const nodes = existsSync(directory) ? readdirSync(directory) : [];
  assert.deepEqual(
    nodes.filter((name) => name.startsWith("node-")),
    [],
  );
});

test("a module that never loads ends the opening in time", async () => {
  const opening = Cluster.open({
    name: "test",
    storage: "memory",
    machine: text("await new Promise((resolve) => setTimeout(resolve, 60_000))"),
  });
  assert.match((await failure(opening, "MACHINE_LOAD")).message, /more than 15000 ms/);
});

test("a module that is no machine fails the opening, and says what it lacks", async () => {
  for (const [code, what] of [
    ["export const bank = 1;", /no default export/],
    ["export default 7;", /its default export is 7/],
    ["export default () => 7;", /makes 7/],
    ["export default async () => ({});", /no method apply\(\)/],
    ["export default class { constructor() { throw new Error('no money'); } }", /no money/],
    ...Object.keys(whole).map((name) => [
      withMethods({ [name]: "undefined" }),
      new RegExp(`no method ${name}\\(\\)`),
    ]),
    ...Object.keys(whole).map((name) => [
      withMethods({ [name]: "async () => 1" }),
      new RegExp(`${name}\\(\\) is async`),
    ]),
    [withMethods({ tick: "() => {}" }), /no method dueAt\(\)/],
    [withMethods({ dueAt: "() => 1" }), /no method tick\(\)/],
    [withMethods({ dueAt: "() => 'now'", tick: "() => {}" }), /dueAt\(\) gave "now"/],
    [withMethods({ snapshot: "() => undefined" }), /snapshot\(\) gave nothing/],
    [withMethods({ snapshot: "() => Promise.resolve(1)" }), /snapshot\(\) gave a promise/],
    [withMethods({ snapshot: "() => ({ at: new Date() })" }), /a Date at \.at/],
    [withMethods({ snapshot: "() => new Set([1n])" }), /a bigint/],
    [
      withMethods({ snapshot: "() => { throw new Error('no film'); }" }),
      /snapshot\(\) threw.*no film/,
    ],
  ]) {
    const opening = Cluster.open({
      name: "test",
      storage: "memory",
      nodes: 1,
      machine: text(code),
    });
    const error = await failure(opening, "MACHINE_INVALID");
    assert.ok(error instanceof MachineError);
    assert.match(error.message, what);
  }
});

test("the option is the absolute URL of a module", async () => {
  for (const module of ["./bank.mjs", "/bank.mjs", "", 7, {}, null]) {
    const error = await failure(Cluster.open({ name: "test", machine: module }), "INVALID_OPTION");
    assert.match(error.message, /"machine" is the URL/);
  }
  for (const snapshotEntries of [0, 1.5, "many"]) {
    await failure(Cluster.open({ name: "test", snapshotEntries }), "INVALID_OPTION");
  }
});

test("a cluster has a store or a machine, and says which", async (t) => {
  const bank = await openMachine(t, "bank", { nodes: 1 });
  for (const store of [() => bank.kv, () => bank.node(1).kv]) {
    const error = await failure(store, "NO_STORE");
    assert.ok(error instanceof ArgumentError);
  }
  const cluster = await Cluster.open({ name: "test", storage: "memory", nodes: 1 });
  t.after(() => cluster.close());
  await failure(cluster.execute("x"), "NO_MACHINE");
  await failure(cluster.query("x"), "NO_MACHINE");
  await failure(cluster.node(1).query("x"), "NO_MACHINE");
  await cluster.kv.put("k", 1);
});

test("storage remembers what kind of machine made it", async (t) => {
  const stored = { name: "test", storage: "directory", directory: scratch(t), nodes: 1 };
  const own = { ...stored, directory: scratch(t), machine: machine("bank") };
  const use = async (options, work) => {
    const cluster = await Cluster.open(options);
    try {
      return await work(cluster);
    } finally {
      await cluster.close();
    }
  };
  await use(stored, ({ kv }) => kv.put("k", 1));
  await use(own, (bank) => bank.execute({ deposit: { to: "a", amount: 2 } }));
  const { machine: module, ...plain } = own;
  for (const wrong of [{ ...stored, machine: module }, plain]) {
    const error = await failure(Cluster.open(wrong), "MACHINE_MISMATCH");
    assert.ok(error instanceof MachineError);
  }
  assert.equal(await use(stored, async ({ kv }) => (await kv.get("k")).value), 1);
  assert.equal(await use(own, (bank) => bank.query("a")), 2);
});

test("a machine that asks for its own chance is caught, and its nodes are named", async (t) => {
  const dice = await openMachine(t, "dice", { snapshotEntries: 10 });
  const halted = [];
  dice.addEventListener("halted", ({ detail }) => halted.push(detail));
  for (let call = 0; call < 11; call++) {
    // Without a majority that agrees the leader's state counts, and it is left alone.
    await dice.execute(null, { timeout: 3_000 }).catch(() => {});
  }
  await until(() => halted.length === 2, "both followers are named");
  for (const { node, reason } of halted) {
    assert.equal(reason.code, "DIVERGED");
    assert.equal(reason.node, node);
    assert.ok(Number(reason.place) > 0, "the index is named");
    assert.match(reason.message, new RegExp(`after entry ${reason.place} `));
  }
  assert.equal(halted[0].reason.place, halted[1].reason.place);
});

test("the one node whose state differs is named, and the others go on", async (t) => {
  const cluster = await openMachine(t, "odd-one", { snapshotEntries: 10 });
  const odd = others(cluster, await cluster.leader())[0];
  const { threadId } = await cluster.node(odd).query(null);
  const named = event(cluster, "halted");
  for (let call = 0; call < 12; call++) await cluster.execute({ odd: threadId });
  const { node, reason } = await named;
  assert.equal(node, odd);
  assert.equal(reason.code, "DIVERGED");
  assert.ok(Number(reason.place) > 0);
  await cluster.execute({ odd: 0 });
  const running = cluster.nodes.filter(({ state }) => state === "running").map(({ id }) => id);
  assert.deepEqual(running, others(cluster, odd));
});

test("machines that agree are left alone at every comparison", async (t) => {
  const bank = await openMachine(t, "bank", { snapshotEntries: 5 });
  const halted = [];
  bank.addEventListener("halted", ({ detail }) => halted.push(detail));
  for (let call = 0; call < 40; call++) {
    const amount = call % 3;
    await bank.execute({ deposit: { to: `account ${call % 7}`, amount } });
    await bank.execute({ transfer: { from: "nobody", to: "b", amount: 1 } }).catch(() => {});
  }
  await picture(bank, ({ nodes }) => nodes.every(({ status }) => status.snapshot > 40));
  assert.deepEqual(halted, []);
});

test("a snapshot that cannot be stored halts the nodes before anything of it is, and a mended machine goes on", async (t) => {
  const stored = { name: "test", storage: "directory", directory: scratch(t), snapshotEntries: 10 };
  const fragile = await Cluster.open({ ...stored, machine: machine("fragile") });
  let answered = 0;
  try {
    for (let call = 0; call < 60; call++) {
      answered = await fragile.execute(null, { timeout: 2_000 });
    }
    assert.fail("it went on");
  } catch (error) {
    assert.equal(error.code, "NO_QUORUM");
  }
  const halted = fragile.nodes.filter(({ state }) => state === "halted");
  assert.ok(halted.length >= 2, "no majority is left");
  for (const { reason } of halted) {
    assert.equal(reason.code, "MACHINE_FAILED");
    assert.match(reason.message, /a Date at \.count/);
  }
  await fragile.close();
  assert.ok(answered >= 29, `it had counted to ${answered}`);
  const mended = await Cluster.open({ ...stored, machine: `${machine("fragile")}?mended` });
  t.after(() => mended.close());
  const count = await mended.query(null);
  // The last call has an unknown outcome.
  assert.ok(count === answered || count === answered + 1, `${count} of ${answered}`);
  for (const node of mended.nodes) assert.equal(await node.query(null), count);
});

test("a machine that refuses its own snapshot fails the opening", async (t) => {
  const stored = { name: "test", storage: "directory", directory: scratch(t), snapshotEntries: 5 };
  const options = { ...stored, machine: machine("stubborn"), nodes: 1 };
  const cluster = await Cluster.open(options);
  for (let call = 0; call < 12; call++) await cluster.execute(null);
  await picture(cluster, ({ nodes }) => nodes.every(({ status }) => status.snapshot > 0));
  await cluster.close();
  const error = await failure(Cluster.open(options), "MACHINE_FAILED");
  assert.match(error.message, /restore\(\) threw.*that was another me/);
});
