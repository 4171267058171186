// The data engine for JavaScript: what a job comes to through the binding, and what it says of bad input.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const glue = new URL("../../pkg/wasm/mapreduce/quorate_mapreduce_wasm.js", import.meta.url);
const wasm = new URL("../../pkg/dist/quorate-mapreduce.wasm", import.meta.url);
const engine = await import(glue.href);
engine.initSync({ module: new WebAssembly.Module(readFileSync(wasm)) });
const { byHash, sameKey, trailerBytes } = engine.limits();

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const partitions = 3;
const line = (at) => `Größe ${at % 7} the cat-${"abc"[at % 3]} naïve\r\n`;
const text = encoder.encode(Array.from({ length: 500 }, (_, at) => line(at)).join(""));
const words = new Map();
for (const [word] of decoder.decode(text).matchAll(/[A-Za-z\u0080-\uffff]+/g))
  words.set(word, (words.get(word) ?? 0) + 1);

/** Everything that spills from a mapper or collector, as one run. */
function spilled(from, chunks = []) {
  for (let chunk = from.spill(); chunk !== undefined; chunk = from.spill()) chunks.push(chunk);
  return { bytes: Buffer.concat(chunks), index: from.index() };
}

function section({ bytes, index }, partition) {
  for (let at = 0; at < index.length; at += 4)
    if (index[at] === partition)
      return bytes.subarray(index[at + 1], index[at + 1] + index[at + 2]);
  return undefined;
}

/** Calls `step` until there is no more; feeds what it asks for, in pieces, and gives the rest to `each`. */
function drive(sections, machine, step, each) {
  const fed = sections.map(() => 0);
  for (let what = step(); what !== undefined; what = step()) {
    if (typeof what !== "number") {
      each(what);
      continue;
    }
    machine.feed(what, sections[what].subarray(fed[what], fed[what] + 50));
    fed[what] = Math.min(fed[what] + 50, sections[what].length);
  }
}

/** Keys, values and partitions of groups; `key` is undefined where it is the one before. */
function* values({ bytes, table }) {
  let at = 0;
  const cut = (length) => {
    at += length;
    return decoder.decode(bytes.subarray(at - length, at));
  };
  for (let row = 0; row < table.length; row += 3) {
    const key = table[row + 1] === sameKey ? undefined : cut(table[row + 1]);
    yield { partition: table[row], key, value: cut(table[row + 2]) };
  }
}

/** A batch of pairs. */
function batch(pairs) {
  const parts = pairs.flatMap(([partition, ...texts]) => {
    const [key, value] = texts.map((it) => Buffer.from(it));
    const header = Buffer.alloc(12);
    for (const [at, number] of [partition, key.length, value.length].entries())
      header.writeUInt32LE(number, 4 * at);
    return [header, key, value];
  });
  return Buffer.concat(parts);
}

/** The records of the text by splits and pieces. */
function* records() {
  const cuts = [0, 1000, 1007, 5000, text.length];
  for (const [number, end] of cuts.slice(1).entries()) {
    const reader = new engine.Records("lines", cuts[number], end);
    while (!reader.isDone) {
      const { position } = reader;
      const piece = text.subarray(position, position + 33);
      const { head, headAt, bounds } = piece.length > 0 ? reader.feed(piece) : reader.finish();
      if (head !== undefined) yield [headAt, decoder.decode(head)];
      for (let at = 0; at < bounds.length; at += 2)
        yield [position + bounds[at], decoder.decode(piece.subarray(bounds[at], bounds[at + 1]))];
    }
    reader.free();
  }
}

test("records come once, whole and with their offsets, over splits and pieces", () => {
  let offset = 0;
  let count = 0;
  for (const [at, record] of records()) {
    assert.deepEqual([at, record], [offset, line(count).trimEnd()]);
    offset += Buffer.byteLength(line(count));
    count += 1;
  }
  assert.equal(count, 500);
});

test("words are counted as by a plain program", () => {
  const runs = [];
  for (const [start, end] of [
    [0, 4000],
    [4000, text.length],
  ]) {
    const mapper = new engine.Mapper({ job: "wordCount" }, "lines", start, end, partitions, 20_000);
    while (!mapper.isDone) {
      const { position } = mapper;
      const chunk = text.subarray(position, position + 777);
      if (chunk.length === 0) mapper.finish();
      else if (mapper.feed(chunk) < chunk.length && !mapper.isDone) runs.push(spilled(mapper));
    }
    if (!mapper.isEmpty) runs.push(spilled(mapper));
    mapper.free();
  }
  const found = [];
  for (let partition = 0; partition < partitions; partition += 1) {
    const sections = runs.map((run) => section(run, partition)).filter((it) => it !== undefined);
    const reducer = new engine.Reducer({ job: "wordCount" }, partition, sections.length);
    const output = [];
    drive(
      sections,
      reducer,
      () => reducer.run(),
      (chunk) => output.push(chunk),
    );
    const lines = decoder.decode(Buffer.concat(output)).trimEnd().split("\n");
    for (const it of lines.map((it) => it.split("\t"))) {
      assert.equal(engine.partitionOf(encoder.encode(it[0]), partitions), partition);
      found.push([it[0], Number(it[1])]);
    }
    reducer.free();
  }
  assert.deepEqual(new Map(found.sort()), new Map([...words].sort()));
});

test("pairs of a map in JavaScript are combined, merged in passes, and handed out by groups", () => {
  const runs = [];
  const collector = new engine.PairCollector(partitions, 4000);
  const spill = () => {
    const chunks = [];
    let group;
    const give = () => {
      if (group !== undefined)
        chunks.push(collector.combined(batch([[group.partition, group.key, `${group.sum}`]])));
    };
    for (let some = collector.groups(300); some !== undefined; some = collector.groups(300)) {
      for (const { partition, key, value } of values(some)) {
        if (key !== undefined) {
          give();
          group = { partition, key, sum: 0 };
        }
        group.sum += Number(value);
      }
    }
    give();
    runs.push(spilled(collector, chunks));
  };
  for (const [, record] of records()) {
    const found = [...record.matchAll(/[A-Za-z\u0080-\uffff]+/g)].map(([word]) => word);
    let pairs = batch(found.map((word) => [byHash, word, "1"]));
    for (;;) {
      pairs = pairs.subarray(collector.add(pairs));
      if (pairs.length === 0) break;
      spill();
    }
  }
  spill();
  collector.free();
  assert.ok(runs.length > 3, `${runs.length} runs`);

  const found = new Map();
  for (let partition = 0; partition < partitions; partition += 1) {
    const sections = runs.map((run) => section(run, partition)).filter((it) => it !== undefined);
    for (;;) {
      const range = engine.nextMerge(
        Float64Array.from(sections, (it) => it.length),
        3,
      );
      if (range === undefined) break;
      const some = sections.slice(...range);
      const compactor = new engine.Compactor(partition, some.length, partitions);
      const output = [];
      drive(
        some,
        compactor,
        () => compactor.run(),
        (chunk) => output.push(chunk),
      );
      const run = { bytes: Buffer.concat(output), index: compactor.index() };
      sections.splice(range[0], some.length, section(run, partition));
      compactor.free();
    }
    const merger = new engine.Merger(partition, sections.length);
    let last;
    drive(
      sections,
      merger,
      () => merger.next(64),
      (groups) => {
        for (const { key, value } of values(groups)) {
          if (key !== undefined) {
            assert.ok(!found.has(key), `${key} is one group`);
            last = key;
          }
          found.set(last, (found.get(last) ?? 0) + Number(value));
        }
      },
    );
    merger.free();
  }
  assert.deepEqual(new Map([...found].sort()), new Map([...words].sort()));
});

test("the index is found at the end of a run", () => {
  const collector = new engine.PairCollector(partitions, 1 << 20);
  collector.add(batch([[2, "key", "value"]]));
  const { bytes, index } = spilled(collector);
  const end = bytes.length - trailerBytes;
  const from = end - engine.indexBytes(bytes.subarray(end));
  assert.deepEqual(engine.readIndex(bytes.subarray(from, end), from), index);
  assert.deepEqual([index[0], index[1], index[2], index[3]], [2, 0, from, 1]);
});

test("what is wrong has a code", () => {
  const code = (code) => ({ code });
  const { Records, PairCollector, Merger, Mapper, Coordinator } = engine;
  assert.throws(() => new Records({ delimiter: "" }, 0, 1), code("INVALID_ARGUMENT"));
  assert.throws(() => new Records("words", 0, 1), code("INVALID_ARGUMENT"));
  assert.throws(() => new Records("lines", -1, 1), code("INVALID_ARGUMENT"));
  assert.throws(() => new PairCollector(0, 1000), code("INVALID_ARGUMENT"));
  assert.throws(() => new Merger(0, 65), code("INVALID_ARGUMENT"));
  assert.throws(() => new Mapper({ job: "x" }, "lines", 0, 1, 1, 1), code("INVALID_ARGUMENT"));
  const pairs = (...list) => new PairCollector(2, 1 << 20).add(batch(list));
  assert.throws(() => pairs([2, "key", ""]), code("NO_PARTITION"));
  assert.throws(() => new PairCollector(2, 1000).add(new Uint8Array(5)), code("INVALID_ARGUMENT"));
  const long = new Records("whole", 0, 1);
  const mebibyte = new Uint8Array(1 << 20);
  assert.throws(
    () => {
      for (let count = 0; count < 20; count += 1) long.feed(mebibyte);
    },
    { code: "RECORD_TOO_LONG", offset: 0 },
  );
  const collector = new PairCollector(1, 1 << 20);
  collector.add(
    batch([
      [0, "a", "1"],
      [0, "b", "1"],
    ]),
  );
  collector.groups(1000);
  collector.combined(batch([[0, "b", "2"]]));
  assert.throws(() => collector.combined(batch([[0, "a", "2"]])), code("OUT_OF_ORDER"));
  const whole = new PairCollector(1, 1 << 20);
  whole.add(batch([[0, "key", "value"]]));
  const run = section(spilled(whole), 0);
  const merged = (bytes) => {
    const merger = new Merger(0, 1);
    drive([bytes], merger, () => merger.next(10), Boolean);
  };
  merged(run);
  assert.throws(() => merged(run.subarray(0, 20)), code("RUN_CORRUPT"));
  assert.throws(() => merged(run.map((byte, at) => byte ^ (at === 18))), code("RUN_CORRUPT"));
  assert.throws(() => new Coordinator().restore(run), code("BAD_SNAPSHOT"));
});

test("the coordinator answers bytes with bytes, and comes back from its snapshot", () => {
  const coordinator = new engine.Coordinator();
  assert.ok(Number.isNaN(coordinator.dueAt()));
  const reply = coordinator.apply(Uint8Array.of(250), 1, 1, 0);
  assert.ok(reply.length > 0, "what is no command has a reply");
  const other = new engine.Coordinator();
  other.restore(coordinator.snapshot());
  assert.deepEqual(other.snapshot(), coordinator.snapshot());
  assert.deepEqual(other.query(Uint8Array.of(250)), coordinator.query(Uint8Array.of(250)));
});
