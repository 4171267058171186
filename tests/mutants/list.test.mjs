// The list of planted bugs fits the crates, covers what it should, and is no dead letter: a few of them are hunted here.

import assert from "node:assert/strict";
import test from "node:test";

import { source } from "../../scripts/lib/copy.mjs";
import {
  hasTest,
  mutate,
  Plot,
  parseBugs,
  readBugs,
  readElsewhere,
} from "../../scripts/lib/mutants.mjs";

const CLASSES = 60;

/** One of Raft, one of what stands on it, one of storage, one of shards. Each takes few seeds. */
const SAMPLE = [
  "old-term-committed-by-counting",
  "repeated-write-is-applied-again",
  "damage-is-taken-for-a-torn-end",
  "frozen-shard-is-served",
];

test("each bug fits one place of the crates as they are", () => {
  const bugs = readBugs();
  const hunted = bugs.filter((bug) => bug.test === undefined).length;
  assert.ok(hunted >= 40, `${hunted} bugs for the simulator`);
  for (const bug of bugs) {
    for (const [path, text] of mutate(bug, source)) {
      assert.ok(path.startsWith("crate/"), `${bug.name} changes ${path}`);
      assert.notEqual(text, source(path), `${bug.name} changes nothing`);
    }
    if (bug.test === undefined) continue;
    const { file, name } = bug.test;
    assert.ok(hasTest(file, name), `${bug.name}: ${file} has no ${name}`);
  }
  const names = bugs.map(({ name }) => name);
  assert.deepEqual([...new Set(names)], names, "a name is given once");
});

test("each class is planted, or guarded by a test that exists", () => {
  const planted = new Set(readBugs().flatMap(({ classes }) => classes));
  const elsewhere = readElsewhere();
  for (const { class: kind, file, test: name, about } of elsewhere) {
    if (file !== undefined) assert.ok(hasTest(file, name), `${kind}: ${file} has no ${name}`);
    else assert.match(about, /yet$/, `${kind} is nowhere`);
  }
  const known = new Set([...planted, ...elsewhere.map((one) => one.class)]);
  const lacking = Array.from({ length: CLASSES }, (_, at) => at + 1).filter(
    (one) => !known.has(one),
  );
  assert.deepEqual(lacking, [], "classes that nothing covers");
});

test("a text that fits nowhere, or twice, is refused", () => {
  const bug = (find) =>
    parseBugs(`## a\nclasses: 1\nbreaks: b\ncaught by: c\nin d.rs\n- ${find}\n+ x\n`, "list")[0];
  const read = () => "one();\n    two();\n    two();\n";
  assert.throws(() => mutate(bug("three();"), read), /must fit once, not 0 times/);
  assert.throws(() => mutate(bug("two();"), read), /must fit once, not 2 times/);
  assert.equal(mutate(bug("one();\n- two();"), read).get("d.rs"), "x\n    two();\n");
  assert.throws(() => parseBugs("nonsense", "list"), /list:1: what is nonsense/);
  assert.throws(() => parseBugs("## a\nbreaks: b\n", "list"), /a lacks classes/);
  assert.throws(() => parseBugs("## a\nworlds: b\n", "list"), /list:2: there are no worlds of b/);
});

test("planted bugs are found, and without them nothing is", async (t) => {
  const plot = new Plot("test");
  await plot.prepare();
  t.after(() => plot.plant(undefined));
  for (const name of SAMPLE) {
    const bug = readBugs().find((one) => one.name === name);
    plot.plant(bug);
    assert.ok(await plot.build(), `${name} builds`);
    const { found } = await plot.hunt(100, bug.worlds);
    assert.ok(found !== undefined, `${name} is found`);
    assert.ok(bug.caughtBy.includes(found.property), `${name} broke ${found.property}`);
  }
  const limit = AbortSignal.timeout(60_000);
  plot.plant(undefined);
  assert.ok(await plot.build(), "the crates build without a bug");
  for (const worlds of ["groups", "shards"]) {
    const found = await plot.firstFailure(1, 5, limit, worlds);
    assert.equal(found, undefined, `nothing is planted any more, in worlds of ${worlds}`);
  }
});
