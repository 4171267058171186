// Who takes part, as the members' list tells it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bundle } from "../bundle.mjs";

const {
  membership: { Membership },
} = await bundle({ membership: "membership.ts" });

/** The list, given what a leader said: a word for each member. */
function told(members) {
  const membership = new Membership({});
  membership.settle(1, { voters: [], outgoing: [], learners: [], joining: [], ...members });
  return Object.fromEntries(
    membership.list().map(({ id, ...part }) => [
      id,
      Object.keys(part)
        .filter((name) => part[name])
        .join(),
    ]),
  );
}

test("learners join once they are to have a vote", () => {
  const members = { voters: [1], learners: [2, 3], joining: [3] };
  assert.deepEqual(told(members), { 1: "voter", 2: "", 3: "joining" });
});

test("a voter joins as long as the former voters decide without it, too", () => {
  const joint = { voters: [1, 2, 3], outgoing: [1, 2] };
  assert.deepEqual(told(joint), { 1: "voter", 2: "voter", 3: "voter,joining" });
  assert.deepEqual(told({ voters: [1, 2, 3] }), { 1: "voter", 2: "voter", 3: "voter" });
});

test("who is of the former voters alone is leaving, and has a vote until then", () => {
  const members = { voters: [2, 3], outgoing: [1, 2] };
  assert.deepEqual(told(members), { 1: "voter,leaving", 2: "voter", 3: "voter,joining" });
});
