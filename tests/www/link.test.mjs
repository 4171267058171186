// Links to moments of worlds: what is written is read, and whatever else an address says is told in words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./load.mjs";

const { linkTo, readLink, MAX_ACTS } = await load("sim/link");
const { DEFAULT_SPEC } = await load("sim/spec");

const fragment = (link) => link.slice(link.indexOf("#"));
const again = (spec, acts, at) => readLink(fragment(linkTo(spec, acts, at)));

test("an ordinary world has a short link", () => {
  assert.equal(linkTo(DEFAULT_SPEC, [], 0), "simulator.html#v=1");
  assert.equal(
    linkTo({ ...DEFAULT_SPEC, seed: 7, nodes: 3 }, [], 12),
    "simulator.html#v=1&seed=7&nodes=3&at=12",
  );
});

test("a link is read as it was written, whatever the acts and their texts", () => {
  const spec = {
    ...DEFAULT_SPEC,
    seed: 2 ** 53 - 1,
    world: "campaign",
    loss: 12.5,
    reads: "here",
    bug: "vote-without-log-check",
  };
  const acts = [
    { after: 0, act: { do: "restore" } },
    { after: 3, act: { do: "crash", node: 2 } },
    { after: 3, act: { do: "slow", from: 1, to: 3, ms: 250 } },
    { after: 9, act: { do: "lossy", from: 1, to: 3, loss: 0.25 } },
    { after: 12, act: { do: "lose", flight: 400 } },
    {
      after: 13,
      act: { do: "call", client: 1, op: "put", timeout: 500, key: "a:b;c&d=é", value: "" },
    },
    { after: 14, act: { do: "call", client: 2, op: "get", timeout: 500, key: "." } },
    {
      after: 15,
      act: { do: "call", client: 2, op: "cas", timeout: 500, key: "k", value: "1", expected: "" },
    },
    { after: 16, act: { do: "call", client: 2, op: "cas", timeout: 500, key: "k", value: "%" } },
  ];
  assert.deepEqual(again(spec, acts, 77), { kind: "place", place: { spec, acts, at: 77 } });
});

test("so are worlds of several groups, and of a job", () => {
  for (const [world, acts] of [
    [
      "shards",
      [
        { do: "join", group: 2 },
        { do: "leave", group: 1 },
      ],
    ],
    [
      "job",
      [{ do: "submit" }, { do: "kill", worker: 3 }, { do: "tire", worker: 1 }, { do: "hire" }],
    ],
  ]) {
    const spec = { ...DEFAULT_SPEC, world, nodes: 3 };
    const placed = acts.map((act, at) => ({ after: 10 * at, act }));
    const place = { spec, acts: placed, at: 99 };
    assert.deepEqual(again(spec, placed, 99), { kind: "place", place });
  }
  assert.equal(readLink("#v=1&acts=3:join").kind, "unreadable");
});

test("an address that says nothing, or nothing that can be read, is told apart from a newer one", () => {
  assert.deepEqual(readLink(""), { kind: "nothing" });
  assert.deepEqual(readLink("#"), { kind: "nothing" });
  assert.deepEqual(readLink("#v=2&what=ever"), { kind: "newer", version: 2 });
  const bad = [
    "#top",
    "#v=0",
    "#v=1.5",
    "#v=1&seed=",
    "#v=1&seed=x",
    "#v=1&nodes=-1",
    "#v=1&at=1.5",
    "#v=1&acts=3",
    "#v=1&acts=3:explode:.1",
    "#v=1&acts=3:toString:.1",
    "#v=1&acts=3:crash",
    "#v=1&acts=3:crash:.1:.2",
    "#v=1&acts=3:call:.1:.put:.5:.%25E0",
    "#v=1&acts=9:crash:.1;3:start:.1",
    `#v=1&acts=${"1:heal;".repeat(MAX_ACTS + 1)}`,
    `#v=1&bug=${"x".repeat(70_000)}`,
  ];
  for (const address of bad) {
    const { kind, what } = readLink(address);
    assert.equal(kind, "unreadable", address.slice(0, 60));
    assert.match(what, /\w+ \w+/);
  }
});
