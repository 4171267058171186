// Simulated worlds in a page: to the bit what they are on Node, under a strict Content-Security-Policy.

import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "../../pkg/dist/testing.js";
import Bank, { asked } from "../testing/machines/bank.mjs";
import { outcomeIn, serveFolder } from "./outcome.mjs";

const policy = "default-src 'self'; img-src data:; script-src 'self' 'wasm-unsafe-eval'";

const more = ["testing/machines/bank.mjs"];

async function check({ told, error }) {
  assert.equal(error, undefined);
  const [bank, module, stamped] = told;
  const { hash, counts } = await simulate(Bank, { ...asked, seed: 12, seconds: 3 });
  for (const world of [bank, module])
    assert.deepEqual(world, { ok: true, hash, failure: "none", calls: counts.calls });
  assert.equal(stamped.failure, "diverged");
}

for (const [name, outcome] of Object.entries(outcomeIn)) {
  test(`a seed is the same world in ${name} as on Node`, async (t) => {
    await check(await outcome(t, await serveFolder(t, "simulate", { policy, more })));
  });
}
