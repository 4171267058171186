// The first block opens a cluster itself; the others go on with one like it.

import assert from "node:assert/strict";
import { Cluster } from "quorate";

const place = Number(process.argv[2]);
const said = [];
const log = console.log;
console.log = (...words) => {
  said.push(words.join(" "));
  log(...words);
};

export const cluster = await Cluster.open({ name: `given-${place}`, nodes: 3, storage: "memory" });
export const kv = cluster.kv;

export async function done(at, { bank, result }) {
  if (at === 1) {
    assert.ok(
      said.some((line) => /^leader: [123]$/.test(line)),
      said.join(),
    );
    const shop = await Cluster.open({ name: "shop" });
    const { value, version } = await shop.kv.get("cart/42");
    assert.deepEqual([value, version], [{ items: 4 }, 2]);
  }
  if (at === 2) {
    assert.ok(said.includes("put workers/7"), said.join());
    assert.ok(
      said.some((line) => /^it runs here \d+$/.test(line)),
      said.join(),
    );
    assert.equal((await kv.get("paid")).value, true);
    assert.deepEqual([(await kv.get("seat/12")).value, (await kv.get("sold")).value], ["me", 1]);
  }
  if (at === 3) {
    const voters = cluster.members.list().filter(({ voter }) => voter);
    assert.deepEqual(
      voters.map(({ id }) => id),
      [1, 4, 5],
    );
    assert.equal(await cluster.leader(), 1);
  }
  if (at === 4) assert.equal(await bank.query("a"), 5);
  if (at === 5) assert.equal(result.worlds, 20);
}
