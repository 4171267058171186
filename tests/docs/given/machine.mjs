import assert from "node:assert/strict";

export async function done(_place, { bank }) {
  assert.deepEqual([await bank.query("a"), await bank.query("b")], [7, 3]);
}
