// A node of `Node.open` in its owner's hands: killed and started, asked by itself, with a machine, and beside a cluster.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster, messagePort, Node } from "quorate";
import { machine } from "../machine/help.mjs";
import { event, failure, scratch, until } from "./help.mjs";

/** Two transports that reach each other, as nodes 1 and 2. */
function pair() {
  const transports = [messagePort(), messagePort()];
  const { port1, port2 } = new MessageChannel();
  transports[0].connect(2, port1);
  transports[1].connect(1, port2);
  return transports;
}

/** Opens nodes 1 and 2 of one cluster, which both vote. They are closed when the test ends. */
async function openTwo(t, options = {}) {
  const nodes = [];
  for (const [at, transport] of pair().entries()) {
    const node = await Node.open({
      cluster: "owner",
      id: at + 1,
      transport,
      found: at === 0,
      storage: "memory",
      ...options,
    });
    t.after(() => node.close());
    nodes.push(node);
  }
  await bothVote(nodes[0]);
  return nodes;
}

const bothVote = (node) =>
  until(async () => `${(await node.status()).members.voters}` === "1,2", "both vote");

test("a node that is killed comes back with what it had; meanwhile it says what it is", async (t) => {
  const [one, two] = await openTwo(t);
  await two.kv.put("k", 1);
  const down = event(two, "nodedown", ({ node }) => node === 2);
  const gone = event(one, "nodedown", ({ node }) => node === 2);
  await two.kill();
  await down;
  assert.equal(two.state, "killed");
  await failure(two.status(), "NODE_KILLED");
  await failure(two.kv.get("k", { timeout: 200 }), "NO_QUORUM");
  await two.kill();
  const up = event(two, "nodeup", ({ node }) => node === 2);
  const [first] = await Promise.all([two.start(), two.start(), up]);
  assert.equal(first, undefined);
  await two.start();
  assert.equal(two.state, "running");
  assert.equal((await two.kv.get("k")).value, 1);
  await two.kv.put("k", 2);
  assert.equal((await one.kv.get("k")).value, 2);
  assert.deepEqual((await one.status()).members.voters, [1, 2]);
  // No farewell: the other one finds out by what it does not hear, or by who comes back.
  await gone;
  await two.close();
  await failure(two.start(), "CLOSED");
});

test("what a node is asked by itself it answers itself, and no older than what was answered", async (t) => {
  const nodes = await openTwo(t);
  const follower = (await nodes[0].leader()) === 1 ? nodes[1] : nodes[0];
  for (let n = 1; n <= 20; n++) {
    await follower.kv.put("k", n);
    assert.equal((await follower.here.get("k")).value, n);
  }
  await follower.kill();
  await failure(follower.here.get("k", { timeout: 200 }), "NO_QUORUM");
  await follower.start();
  assert.equal((await follower.here.get("k")).value, 20);
});

test("nodes of different owners run a machine: one object of a module is one for each node", async (t) => {
  const options = { machine: machine("notes"), snapshotEntries: 5 };
  const [one, two] = await openTwo(t, options);
  for (let n = 1; n <= 12; n++) assert.equal(await (n % 2 ? one : two).execute({ n }), n);
  const notes = await one.query(null);
  assert.equal(notes.length, 12);
  assert.deepEqual(await two.here.query(null), notes);
  await two.kill();
  await two.start();
  assert.deepEqual(await two.here.query(null), notes);
  assert.throws(() => one.kv, { code: "NO_STORE" });
});

test("a node without the machine of the others, or with one that they have not, does not join", async (t) => {
  for (const [there, here] of [
    [{ machine: machine("counter") }, {}],
    [{}, { machine: machine("counter") }],
  ]) {
    const [a, b] = pair();
    const options = { cluster: "mixed", storage: "memory" };
    const one = await Node.open({ ...options, id: 1, found: true, transport: a, ...there });
    t.after(() => one.close());
    const work = Node.open({ ...options, id: 2, transport: b, ...here });
    await failure(work, "MACHINE_MISMATCH");
    assert.deepEqual((await one.status()).members.voters, [1]);
  }
  const store = await Node.open({
    cluster: "alone",
    id: 1,
    found: true,
    storage: "memory",
    transport: messagePort(),
  });
  t.after(() => store.close());
  await failure(store.execute(1), "NO_MACHINE");
});

test("a directory is one cluster's or its nodes', and not both at once", async (t) => {
  const directory = scratch(t);
  const place = { storage: "directory", directory };
  const node = () =>
    Node.open({ cluster: "owner", id: 2, found: true, transport: messagePort(), ...place });
  const cluster = () => Cluster.open({ name: "owner", nodes: 1, ...place });
  const whole = await cluster();
  t.after(() => whole.close());
  const first = await failure(node(), "STORAGE_LOCKED");
  assert.match(first.message, /process/);
  await whole.close();
  const part = await node();
  t.after(() => part.close());
  await failure(cluster(), "STORAGE_LOCKED");
  // Who was refused has let go of what it took.
  await part.close();
  const again = await cluster();
  await again.close();
});

test("a kill that overtakes a start has the last word, and a start after that the very last", async (t) => {
  const [, two] = await openTwo(t);
  await two.kill();
  const overtaken = failure(two.start(), "NODE_KILLED");
  await two.kill();
  await overtaken;
  assert.equal(two.state, "killed");
  const earlier = failure(two.start(), "NODE_KILLED");
  const kill = two.kill();
  await two.start();
  await Promise.all([earlier, kill]);
  assert.equal(two.state, "running");
  await two.kv.put("k", 1);
});

test("a storage that was made and never told of a cluster is nobody's: another kind of machine can have it", async (t) => {
  const records = new Map();
  const storage = () => ({
    load: async () => [...records],
    write: async (deletes, puts) => {
      for (const [first, end] of deletes)
        for (const key of records.keys()) if (first <= key && key < end) records.delete(key);
      for (const [key, value] of puts) records.set(key, value.slice());
    },
    close: async () => {},
  });
  const options = { cluster: "halfway", id: 1, transport: messagePort(), storage };
  const made = { ...options, machine: machine("counter"), deadline: 300 };
  await failure(Node.open(made), "NO_QUORUM");
  assert.deepEqual([...records.keys()], ["ident"]);
  const node = await Node.open({ ...options, found: true });
  t.after(() => node.close());
  await node.kv.put("k", 1);
  await node.close();
  await failure(Node.open(made), "MACHINE_MISMATCH");
});
