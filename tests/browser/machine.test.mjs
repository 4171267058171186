// A state machine of one's own in a page, under a strict Content-Security-Policy: the same in Chromium, in Firefox and in WebKit.

import assert from "node:assert/strict";
import { test } from "node:test";
import { outcomeIn, serveFolder } from "./outcome.mjs";

const policy =
  "default-src 'self'; img-src data:; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'";

const more = ["machine/machines/bank.mjs"];

function check({ told, error }) {
  assert.equal(error, undefined);
  assert.deepEqual(told, {
    poor: "MACHINE_THREW",
    own: 60,
    total: 60,
    origin: "restored",
    absent: "MACHINE_LOAD",
    mismatch: "MACHINE_MISMATCH",
  });
}

for (const [name, outcome] of Object.entries(outcomeIn)) {
  test(`a bank keeps its sum in ${name} while the leader is killed, and after a reopening`, async (t) => {
    check(await outcome(t, await serveFolder(t, "machine", { policy, more })));
  });
}
