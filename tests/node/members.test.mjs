// Who takes part: members come and go, leadership moves, storages are lost; all by the public interface.

import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { event, failure, open, scratch, until } from "./help.mjs";

const voters = (cluster) =>
  cluster.members
    .list()
    .filter(({ voter }) => voter)
    .map(({ id }) => id);
const ids = (cluster) => cluster.nodes.map(({ id }) => id);

function heard(cluster, ...types) {
  const events = [];
  for (const type of types) {
    cluster.addEventListener(type, ({ detail }) => events.push({ type, ...detail }));
  }
  return events;
}

test("a node is added, catches up and votes; the leader is removed, and all goes on", async (t) => {
  const cluster = await open(t);
  const events = heard(cluster, "memberchange", "catchup");
  await cluster.kv.put("before", 1);
  assert.equal(await cluster.members.add(), 4);
  assert.deepEqual(voters(cluster), [1, 2, 3, 4]);
  const states = events.filter(({ type }) => type === "memberchange").map(({ members }) => members);
  const fourth = states.map((members) => members.find(({ id }) => id === 4));
  assert.ok(
    fourth.some((member) => member?.joining && !member.voter),
    "it learned first",
  );

  const leader = await cluster.leader();
  await cluster.members.remove(leader);
  assert.ok(!voters(cluster).includes(leader) && !ids(cluster).includes(leader));
  assert.equal((await cluster.kv.get("before")).value, 1);
  assert.equal(cluster.nodes.length, 3);
  await failure(cluster.members.remove(leader), "UNKNOWN_MEMBER");
});

test("a dead node is replaced in one step, and the fresh one has everything", async (t) => {
  const cluster = await open(t);
  for (let key = 0; key < 50; key++) await cluster.kv.put(`k${key}`, key);
  const dead = (await cluster.leader()) === 3 ? 2 : 3;
  await cluster.node(dead).kill();
  const fresh = await cluster.members.replace(dead);
  assert.equal(fresh, 4);
  assert.deepEqual(voters(cluster), dead === 3 ? [1, 2, 4] : [1, 3, 4]);
  const { keys } = await cluster.node(fresh).status();
  assert.equal(keys, 50);
  // It takes the place of the dead one: another may go now.
  await cluster.node(dead === 3 ? 2 : 3).kill();
  await cluster.kv.put("after", 1);
});

test("learners get everything and have no vote, until they are promoted", async (t) => {
  const cluster = await open(t, { nodes: 1 });
  await cluster.kv.put("k", 1);
  assert.equal(await cluster.members.add(2, { learner: true }), 2);
  assert.deepEqual(voters(cluster), [1]);
  await until(async () => (await cluster.node(2).status()).keys === 1, "it has the key");
  await cluster.node(2).kill();
  await cluster.kv.put("k", 2);
  await cluster.node(2).start();
  await cluster.members.promote(2);
  assert.deepEqual(voters(cluster), [1, 2]);
  await cluster.members.demote(1);
  assert.deepEqual(voters(cluster), [2]);
  assert.equal(await cluster.leader(), 2);
  await failure(cluster.members.remove(2), "NO_VOTER_LEFT");
  await failure(cluster.members.demote(2), "NO_VOTER_LEFT");
  assert.equal((await cluster.kv.get("k")).value, 2);
});

test("leadership is handed over to whom one wants", async (t) => {
  const cluster = await open(t);
  for (const to of [1, 2, 3, 1]) {
    await cluster.leadership.transferTo(to);
    assert.equal(await cluster.leader(), to);
    await cluster.kv.put("k", to);
  }
  await failure(cluster.leadership.transferTo(9), "UNKNOWN_MEMBER");
});

test("who takes part is known as soon as the cluster is open", async (t) => {
  const cluster = await open(t);
  assert.deepEqual(voters(cluster), [1, 2, 3]);
  assert.equal(await cluster.members.replace(3), 4);
  assert.deepEqual(voters(cluster), [1, 2, 4]);
});

test("changes that make no sense are refused, and change nothing", async (t) => {
  const cluster = await open(t);
  await cluster.kv.put("k", 1);
  const before = JSON.stringify(cluster.members.list());
  const refused = [
    [() => cluster.members.add(2), "ALREADY_MEMBER", 2],
    [() => cluster.members.promote(2), "UNKNOWN_MEMBER", 2],
    [() => cluster.members.demote(9), "UNKNOWN_MEMBER", 9],
    [() => cluster.members.remove(9), "UNKNOWN_MEMBER", 9],
    [() => cluster.members.replace(9), "UNKNOWN_MEMBER", 9],
    [() => cluster.leadership.transferTo(9), "UNKNOWN_MEMBER", 9],
  ];
  for (const [change, code, node] of refused)
    assert.equal((await failure(change, code)).node, node);
  for (const id of [0, -1, 1.5, "2", null]) {
    await failure(cluster.members.remove(id), "INVALID_ARGUMENT");
    await failure(cluster.members.add(id), "INVALID_ARGUMENT");
    await failure(cluster.leadership.transferTo(id), "INVALID_ARGUMENT");
  }
  await failure(cluster.members.replace(2, 2), "INVALID_ARGUMENT");
  await failure(cluster.members.replace(9, 4, { timeout: 0 }), "INVALID_ARGUMENT");
  await failure(cluster.members.add(4, { learner: 1 }), "INVALID_ARGUMENT");
  await failure(cluster.members.add(4, { voter: true }), "INVALID_ARGUMENT");
  assert.equal(JSON.stringify(cluster.members.list()), before);
  assert.deepEqual(ids(cluster), [1, 2, 3]);
  await cluster.close();
  await failure(cluster.members.add(), "CLOSED");
  await failure(cluster.members.replace(9), "CLOSED");
  await failure(cluster.leadership.transferTo(1), "CLOSED");
});

test("one change at a time; one that waits for a node can be taken back", async (t) => {
  const cluster = await open(t);
  await cluster.kv.put("k", 1);
  // Nothing reaches it, so that it never catches up.
  cluster.network.partition([1, 2, 3]);
  const adding = failure(cluster.members.add(4, { timeout: 60_000 }), "CLOSED");
  await until(() => cluster.members.list().some(({ id }) => id === 4), "it is a learner");
  await failure(cluster.members.add(5), "MEMBERSHIP_PENDING");
  assert.deepEqual(ids(cluster), [1, 2, 3, 4], "the refused one is gone again");
  await cluster.members.remove(4);
  assert.deepEqual(voters(cluster), [1, 2, 3]);
  await cluster.close();
  await adding;
});

test("a change without a quorum ends by its deadline, and says so", async (t) => {
  const cluster = await open(t);
  const leader = await cluster.leader();
  const leaderless = event(cluster, "leaderchange", ({ leader }) => leader === null);
  for (const { id } of cluster.nodes) if (id !== leader) await cluster.node(id).kill();
  await leaderless;
  const { members, leadership } = cluster;
  const bounds = { timeout: 300 };
  for (const change of [() => members.add(4, bounds), () => members.remove(1, bounds)]) {
    const { outcome, message } = await failure(change, "NO_QUORUM");
    assert.equal(outcome, "not-applied");
    assert.match(message, / within 300 ms: no majority could agree; start nodes or heal/);
  }
  await failure(leadership.transferTo(leader, bounds), "NO_QUORUM");
  assert.deepEqual(ids(cluster), [1, 2, 3]);
});

test("members are who they are after a reopening", async (t) => {
  const path = scratch(t);
  const first = await open(t, { storage: "directory", directory: path });
  await first.kv.put("k", 1);
  await first.members.add(4);
  await first.members.remove(2);
  const { id } = first;
  assert.equal(first.origin, "founded");
  await first.close();
  const again = await open(t, { storage: "directory", directory: path });
  const events = heard(again, "memberchange");
  assert.deepEqual(voters(again), [1, 3, 4]);
  assert.deepEqual([again.id, again.origin], [id, "restored"]);
  assert.equal((await again.kv.get("k")).value, 1);
  await until(() => ids(again).join() === "1,3,4", "the removed one is not there");
  for (const { members } of events)
    assert.deepEqual(
      members.map(({ id }) => id),
      [1, 3, 4],
    );
  await again.node(3).kill();
  await again.kv.put("k", 2);
});

test("a node that lost its storage begins again without a vote, by itself, while the cluster serves", async (t) => {
  const path = scratch(t);
  const cluster = await open(t, { storage: "directory", directory: path });
  for (let key = 0; key < 20; key++) await cluster.kv.put(`k${key}`, key);
  const victim = (await cluster.leader()) === 3 ? 2 : 3;
  const before = await cluster.node(victim).status();
  const events = heard(cluster, "amnesia", "memberchange");
  await cluster.node(victim).kill();
  rmSync(join(path, `node-${victim}`), { recursive: true });
  await cluster.node(victim).start();
  const told = events.filter(({ type }) => type === "amnesia");
  assert.deepEqual(told, [{ type: "amnesia", node: victim }]);
  let written = 0;
  const back = () => {
    const last = events.at(-1);
    const member = last.members?.find(({ id }) => id === victim);
    return events.some(({ members }) => members?.some(({ voter }) => !voter)) && member?.voter;
  };
  while (!back()) await cluster.kv.put("meanwhile", ++written);
  const { keys, commit } = await cluster.node(victim).status();
  assert.ok(commit > before.commit && keys >= 20);
  assert.deepEqual(voters(cluster), [1, 2, 3]);
  // It has its vote: with it, one of the others is enough.
  await cluster.node([1, 2, 3].find((id) => id !== victim)).kill();
  await cluster.kv.put("after", 1);
});

test("a majority that lost its storage is told, and never pretends", async (t) => {
  const path = scratch(t);
  const first = await open(t, { storage: "directory", directory: path });
  await first.kv.put("k", 1);
  const { id } = first;
  await first.close();
  for (const node of [1, 2]) rmSync(join(path, `node-${node}`), { recursive: true });
  const cluster = await open(t, { storage: "directory", directory: path });
  assert.deepEqual([cluster.id, cluster.origin], [id, "restored"]);
  const events = heard(cluster, "amnesia");
  await failure(cluster.kv.get("k", { timeout: 1_500 }), "QUORUM_LOST");
  assert.deepEqual(events.map(({ node }) => node).sort(), [1, 2], "who opened it is told, too");
  await cluster.close();
  const again = await open(t, { storage: "directory", directory: path });
  await failure(again.kv.get("k", { timeout: 1_500 }), "QUORUM_LOST");
});

test("a cluster that lost everything while it ran is told, also by those who open it again", async (t) => {
  const options = { storage: "directory", directory: scratch(t), deadline: 1_000 };
  const first = await open(t, options);
  await first.kv.put("k", 1);
  const { id } = first;
  for (const node of first.nodes) await node.kill();
  for (const node of [1, 2, 3])
    rmSync(join(options.directory, `node-${node}`), { recursive: true });
  for (const node of first.nodes) await node.start();
  await failure(first.kv.get("k"), "QUORUM_LOST");
  await first.close();
  const again = await open(t, options);
  const events = heard(again, "amnesia");
  assert.deepEqual([again.id, again.origin], [id, "restored"]);
  await failure(again.kv.get("k"), "QUORUM_LOST");
  await failure(again.leader(), "QUORUM_LOST");
  await failure(again.members.add(), "QUORUM_LOST");
  assert.deepEqual(events.map(({ node }) => node).sort(), [1, 2, 3]);
});

test("a cluster all of whose storage is gone is founded anew, and says so", async (t) => {
  const path = scratch(t);
  const first = await open(t, { storage: "directory", directory: path });
  await first.kv.put("k", 1);
  const { id } = first;
  await first.close();
  for (const node of [1, 2, 3]) rmSync(join(path, `node-${node}`), { recursive: true });
  const cluster = await open(t, { storage: "directory", directory: path });
  assert.equal(cluster.origin, "reset");
  assert.notEqual(cluster.id, id);
  assert.equal(await cluster.kv.get("k"), null);
});

test("no cluster is founded in a place where a node with a higher id belongs to one", async (t) => {
  const options = { storage: "directory", directory: scratch(t) };
  const first = await open(t, options);
  await first.kv.put("k", 1);
  assert.equal(await first.members.replace(1), 4);
  await first.close();
  for (const node of [1, 2, 3])
    rmSync(join(options.directory, `node-${node}`), { recursive: true });
  await failure(open(t, options), "STORAGE_FOREIGN");
  const whole = await open(t, { ...options, nodes: 4 });
  assert.deepEqual([whole.id, whole.origin], [first.id, "restored"]);
});

test("a storage of an earlier cluster of that name is refused", async (t) => {
  const path = scratch(t);
  const first = await open(t, { storage: "directory", directory: path });
  await first.kv.put("k", 1);
  await first.close();
  const other = scratch(t);
  const second = await open(t, { storage: "directory", directory: other });
  await second.kv.put("k", 2);
  await second.close();
  rmSync(join(path, "node-3"), { recursive: true });
  cpSync(join(other, "node-3"), join(path, "node-3"), { recursive: true });
  await failure(open(t, { storage: "directory", directory: path }), "STORAGE_FOREIGN");
});
