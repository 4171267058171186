// What becomes of a machine's state: restarts, snapshots, new members, and leaders that die under load.

import assert from "node:assert/strict";
import test from "node:test";
import { Cluster } from "quorate";
import { picture, scratch } from "../node/help.mjs";
import { machine, openMachine } from "./help.mjs";

for (const [name, command, query] of [
  ["bank", (call) => ({ deposit: { to: `account ${call % 9}`, amount: call } }), "all"],
  ["counter", (call) => call, null],
  ["notes", (call) => ({ call }), null],
]) {
  test(`the ${name}'s state is restored from a snapshot and the log behind it`, async (t) => {
    const options = {
      name: "test",
      storage: "directory",
      directory: scratch(t),
      snapshotEntries: 8,
    };
    const before = await Cluster.open({ ...options, machine: machine(name) });
    let state;
    try {
      for (let call = 0; call < 45; call++) await before.execute(command(call));
      state = await before.query(query);
      await picture(before, ({ nodes }) => nodes.every(({ status }) => status.snapshot > 0));
    } finally {
      await before.close();
    }
    const after = await Cluster.open({ ...options, machine: machine(name) });
    t.after(() => after.close());
    assert.equal(after.origin, "restored");
    assert.deepEqual(await after.query(query), state);
    // What was restored and what was executed come to the same bytes, or the next comparison would tell.
    await after.node(await after.leader()).kill();
    for (let call = 45; call < 70; call++) await after.execute(command(call));
    for (const node of after.nodes) await node.start();
    for (let call = 70; call < 90; call++) await after.execute(command(call));
    const last = await after.query(query);
    for (const node of after.nodes) assert.deepEqual(await node.query(query), last);
    assert.ok(after.nodes.every(({ state }) => state === "running"));
  });
}

test("a new member begins with the leader's snapshot", async (t) => {
  const bank = await openMachine(t, "bank", { snapshotEntries: 200 });
  const deposits = Array.from({ length: 2_000 }, (_, call) =>
    bank.execute({ deposit: { to: `account ${call % 50}`, amount: 1 } }),
  );
  await Promise.all(deposits);
  const { nodes, leader } = await picture(
    bank,
    ({ nodes, leader }) =>
      leader !== null && nodes.find(({ id }) => id === leader).status.logStart > 0,
  );
  assert.ok(nodes.some(({ id }) => id === leader));
  const id = await bank.members.add();
  const status = await bank.node(id).status();
  assert.ok(status.logStart > 0, "its log begins behind a snapshot");
  assert.deepEqual(await bank.node(id).query("all"), await bank.query("all"));
  assert.equal(await bank.node(id).query("total"), 2_000);
  await Promise.all(deposits.map((_, call) => bank.execute({ close: `account ${call % 50}` })));
  assert.deepEqual(await bank.node(id).query("all"), {});
  assert.ok(
    bank.nodes.every(({ state }) => state === "running"),
    "all states were alike",
  );
});

test("every command takes effect exactly once while leaders are killed", async (t) => {
  const bank = await openMachine(t, "bank", { storage: "directory", directory: scratch(t) });
  let answered = 0;
  let deposited = 0;
  let stop = false;
  const load = Array.from({ length: 8 }, async (_, client) => {
    while (!stop) {
      const amount = (answered % 7) + 1;
      const sum = await bank.execute({ deposit: { to: `account ${client}`, amount } });
      answered += 1;
      deposited += amount;
      assert.ok(sum >= amount);
    }
  });
  const all = Promise.all(load);
  // A failure must not wait for the end of the murders.
  const murders = (async () => {
    for (let murder = 0; murder < 3; murder++) {
      const target = answered + 60;
      while (answered < target) await new Promise((resolve) => setTimeout(resolve, 5));
      const victim = await bank.leader();
      await bank.node(victim).kill();
      await bank.leader();
      await bank.node(victim).start();
    }
    stop = true;
  })();
  await Promise.race([all, murders]);
  await Promise.all([all, murders]);
  assert.ok(answered >= 180);
  assert.equal(await bank.query("total"), deposited);
  for (const node of bank.nodes) assert.equal(await node.query("total"), deposited);
});
