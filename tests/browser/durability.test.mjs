// Relaxed writes: what the browser is asked for, and which storages are opened how.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inWorkers } from "./help.mjs";
import { chromiumTabs } from "./tabs.mjs";

/** Counts the durabilities that workers ask for. */
const counting = `
  const counts = new BroadcastChannel("durability");
  const { transaction } = IDBDatabase.prototype;
  IDBDatabase.prototype.transaction = function (stores, mode, options) {
    if (mode === "readwrite") counts.postMessage(options?.durability);
    return transaction.call(this, stores, mode, options);
  };
`;

/** In a page: opens a cluster, counts, and closes it. */
const life = async ([options, lost]) => {
  const { Cluster } = await import("quorate");
  const counts = {};
  const channel = new BroadcastChannel("durability");
  channel.onmessage = ({ data }) => {
    counts[data] = (counts[data] ?? 0) + 1;
  };
  if (lost !== undefined) {
    await new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase(`quorate/power/${lost}`);
      request.onsuccess = resolve;
      request.onerror = reject;
    });
  }
  try {
    const cluster = await Cluster.open({ name: "power", deadline: 50_000, ...options });
    try {
      for (let n = 0; n < 20; n++) await cluster.kv.increment("n");
      const { value } = await cluster.kv.get("n");
      return { value, counts, origin: cluster.origin };
    } finally {
      await cluster.close();
    }
  } catch (error) {
    return { code: error.code, message: error.message };
  }
};

test("writes are relaxed where that is asked for, and who a storage is stays strict", async (t) => {
  const browser = await chromiumTabs(t);
  const tab = await browser.open();
  await inWorkers(tab.context, counting);
  const open = (...options) => tab.page.evaluate(life, options);
  const relaxed = { durability: "relaxed" };
  const first = await open(relaxed);
  assert.deepEqual([first.value, first.origin], [20, "founded"]);
  // Of each of the three nodes: the fence, its name, its cluster.
  assert.equal(first.counts.strict, 9);
  assert.ok(first.counts.relaxed > 20, JSON.stringify(first.counts));
  const again = await open(relaxed);
  assert.deepEqual([again.value, again.origin], [40, "restored"]);

  const refused = await open({});
  assert.equal(refused.code, "STORAGE_FOREIGN");
  assert.match(refused.message, /durability "relaxed", and is not opened with "strict"/);

  // One that lost everything has nothing to say: the others elect without it, and take it in again.
  const without = await open(relaxed, 2);
  assert.deepEqual([without.value, without.origin], [60, "restored"]);

  const strict = await open({ name: "strict" });
  assert.deepEqual([strict.value, strict.counts.relaxed], [20, undefined]);
});
