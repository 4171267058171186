// A lease as its owner holds it, with a store that answers what the test wants.

import assert from "node:assert/strict";
import test from "node:test";

import { bundle } from "../bundle.mjs";

const { lease, errors } = await bundle({ lease: "kv/lease.ts", errors: "errors.ts" });

/** A store that grants leases, and knows who waits for its end. */
function store(ended) {
  const waiting = new Set();
  const home = {
    written: 0,
    waiting,
    write: async () => {
      home.written++;
      return { type: "lease", id: 1, ttlMs: 1, leftMs: 1, next: undefined, keys: [] };
    },
    onEnd: (hear) => {
      if (ended !== undefined) hear(ended);
      else waiting.add(hear);
      return () => waiting.delete(hear);
    },
  };
  return home;
}

test("a lease that is lost is kept by nobody, also where it was lost before it was had", async () => {
  for (const ttl of [1, 20]) {
    const home = store();
    const { write } = home;
    // The answer comes when the time is over.
    home.write = async () => {
      const late = performance.now() + 2 * ttl;
      while (performance.now() < late);
      return write();
    };
    const { lost } = await lease.grantLease(home, { ttl }, {});
    assert.equal(lost.reason.code, "LEASE_LOST");
    assert.equal(home.waiting.size, 0);
  }
});

test("a lease that comes as its store ends is lost, and gives no sign of life", async () => {
  const home = store(errors.quorateError("CLOSED", "the cluster is closed"));
  const { lost } = await lease.grantLease(home, { ttl: 30 }, {});
  assert.equal(lost.reason.cause.code, "CLOSED");
  const { written } = home;
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(home.written, written);
});
