// Somebody deletes the databases of nodes that write: nodes let go of them, so that it comes to its end, and come back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { outcomeIn, serveFolder } from "./outcome.mjs";

for (const [name, outcome] of Object.entries(outcomeIn)) {
  test(`databases are deleted while their nodes write, in ${name}: nothing is lost`, async (t) => {
    const { told, error } = await outcome(t, await serveFolder(t, "removal"));
    assert.equal(error, undefined);
    assert.deepEqual(told, { reasons: Array(9).fill("STORAGE_TAKEN_AWAY"), missing: 0 });
  });
}
