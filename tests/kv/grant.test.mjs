// A lease whose answer came late, over a store of a few lines.

import assert from "node:assert/strict";
import test from "node:test";

import { bundle } from "../bundle.mjs";

const { lease, errors } = await bundle({ lease: "kv/lease.ts", errors: "errors.ts" });

test("a lease that was made is not said to be none when its first sign of life fails", async (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  t.mock.method(Date, "now", () => now);
  const written = [];
  const home = {
    store: {},
    onEnd: () => () => {},
    write: async (command) => {
      written.push(command[0]);
      // The answer took half of its life, so it asks for a fresh one.
      now += 500;
      if (written.length === 1) return { type: "lease", id: 7, ttlMs: 1_000, leftMs: 1_000 };
      throw errors.quorateError("NO_QUORUM", "no answer", { outcome: "not-applied" });
    },
  };
  await assert.rejects(lease.grantLease(home, { ttl: 1_000 }, {}), {
    name: "CallError",
    code: "NO_QUORUM",
    outcome: "applied",
  });
  assert.deepEqual(written, [10, 11]);
});

test("clocks that fail are no end of a lease", async (t) => {
  const fails = () => {
    throw new Error("no clock");
  };
  for (const clock of [performance, Date]) t.mock.method(clock, "now", fails);
  const home = {
    store: {},
    onEnd: () => () => {},
    write: async () => ({ type: "lease", id: 7, ttlMs: 1_000, leftMs: 1_000 }),
  };
  const held = await lease.grantLease(home, { ttl: 1_000 }, {});
  t.after(() => held.revoke());
  assert.equal(held.lost.aborted, false);
  assert.equal(await held.renew(), 1_000);
});
