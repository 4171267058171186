import assert from "node:assert/strict";

export async function done(_place, { cluster, group, owner, groups, shards }) {
  assert.equal(cluster.name, "carts");
  assert.ok([1, 2, group].includes(owner));
  assert.deepEqual(
    groups.list().map(({ id }) => id),
    [2, group],
  );
  assert.equal(shards.list().filter((owns) => owns === group).length, 32);
}
