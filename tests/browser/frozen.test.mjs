// The proof of the idea: a lock and an election library wait for a frozen tab, a quorum does not, and the tab that thaws does no harm.

import assert from "node:assert/strict";
import { test } from "node:test";
import { round } from "./frozen.mjs";
import { servePage } from "./help.mjs";

test("while the leader's tab is frozen nobody works by lock or library; Quorate has another leader, and one at a time", async (t) => {
  const site = await servePage();
  t.after(() => site.close());
  const { after, table, heard } = await round(t, new URL("frozen.html", site.url).href, 5_000);
  t.diagnostic(`after ${after.quorate} ms another tab worked`);
  assert.deepEqual(
    { ...after, quorate: typeof after.quorate },
    { lock: null, library: null, quorate: "number" },
  );
  assert.match(table.lock, /^none for/);
  assert.match(table.library, /^none for/);
  assert.equal(table.quorate, "goes on");
  // Whoever works does so in a later term than whoever worked before: the thawed tab never goes on in its old one.
  // Tabs tell of it in any order; the store knows which was done first.
  const work = heard.filter(({ way }) => way === "quorate").sort((a, b) => a.revision - b.revision);
  const terms = work.map(({ term }) => term);
  assert.deepEqual(
    terms,
    [...terms].sort((a, b) => a - b),
  );
});
