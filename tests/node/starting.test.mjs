// What reaches a node while it starts.

import assert from "node:assert/strict";
import test from "node:test";
import { open, scratch } from "./help.mjs";

test("a node may start while the rules of the network change", async (t) => {
  const cluster = await open(t, { storage: "directory", directory: scratch(t) });
  const changing = setInterval(() => cluster.network.heal(), 0);
  const added = cluster.members.add().finally(() => clearInterval(changing));
  assert.equal(await added, 4);
});
