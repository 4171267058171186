// The bytes of machines' values, and their chance: logs that exist are replayed with them, so they never change.

import assert from "node:assert/strict";
import test from "node:test";
import { runInNewContext } from "node:vm";
import { bundle } from "../bundle.mjs";

const { codec, random } = await bundle({ codec: "machine/codec.ts", random: "machine/random.ts" });
const hex = (bytes) => Buffer.from(bytes).toString("hex");

test("values have these bytes", () => {
  for (const [value, bytes] of [
    [undefined, "00"],
    [null, "016e756c6c"],
    [{ b: 1, a: ["ü"] }, `01${hex(Buffer.from('{"b":1,"a":["ü"]}'))}`],
    ["\ud800", `01${hex(Buffer.from('"\\ud800"'))}`],
    [Uint8Array.of(1, 255), "0201ff"],
  ]) {
    assert.equal(hex(codec.encode(value, 100)), bytes);
    assert.deepEqual(codec.decode(Buffer.from(bytes, "hex")), value);
  }
});

test("a snapshot is one value, or the items of what is iterable", () => {
  const pairs = new Map([
    ["a", 1],
    ["b", null],
  ]);
  const bytes = codec.encodeSnapshot(pairs);
  assert.equal(
    hex(bytes),
    `0308${hex(codec.encode(["a", 1], 9))}0b${hex(codec.encode(["b", null], 99))}`,
  );
  assert.deepEqual(new Map(codec.decode(bytes)), pairs);
  const chunks = function* () {
    yield Uint8Array.of(7);
    yield "text";
    yield undefined;
  };
  assert.deepEqual(
    [...codec.decode(codec.encodeSnapshot(chunks()))],
    [Uint8Array.of(7), "text", undefined],
  );
  assert.deepEqual([...codec.decode(codec.encodeSnapshot(new Set()))], []);
  for (const one of [[1, 2], "text", Uint8Array.of(1), { a: 1 }, 7, null])
    assert.deepEqual(codec.decode(codec.encodeSnapshot(one)), one);
});

test("what is thrown has these bytes", () => {
  const error = Object.assign(new RangeError("too little"), { code: "POOR", stack: "not this" });
  const bytes = codec.encodeThrown(error);
  const thrown = { name: "RangeError", message: "too little", code: "POOR" };
  assert.equal(hex(bytes), `04${hex(Buffer.from(JSON.stringify(thrown)))}`);
  assert.deepEqual(codec.decodeResult(bytes), { type: "thrown", thrown });
  assert.deepEqual(codec.decodeResult(codec.encodeUnfit("why")), { type: "unfit", why: "why" });
});

test("what an engine words is not replicated, in no engine's words", () => {
  const thrown = (error) => codec.decodeResult(codec.encodeThrown(error)).thrown;
  const made = (work) => {
    try {
      return work();
    } catch (error) {
      return error;
    }
  };
  for (const [name, work] of [
    ["TypeError", () => undefined.nothing],
    ["ReferenceError", () => runInNewContext("nothing")],
    ["SyntaxError", () => JSON.parse("{")],
    ["RangeError", () => (1).toFixed(101)],
    ["URIError", () => decodeURI("%")],
  ]) {
    assert.deepEqual(thrown(made(work)), { name, message: "" });
  }
  const clone = made(() => structuredClone(() => {}));
  assert.deepEqual(thrown(clone), { name: "DataCloneError", message: "", code: 25 });
  const own = Object.assign(new TypeError("no sum"), { code: "NO_SUM" });
  assert.deepEqual(thrown(own), { name: "TypeError", message: "no sum", code: "NO_SUM" });
  assert.deepEqual(thrown(new Error("poor")), { name: "Error", message: "poor" });
  const unreadable = {
    get sum() {
      return undefined.nothing;
    },
  };
  const error = made(() => codec.encode(unreadable, 100));
  assert.equal(codec.whyUnfit(error), "it cannot be read");
  assert.equal(codec.whyUnfit(made(() => codec.encode(new Map(), 100))), "a Map");
  assert.equal(codec.decodeResult(codec.encodeUnfit("x".repeat(9_999))).why.length, 1_000);
});

test("what JSON would lose of a value without a word is refused, with its place", () => {
  class List extends Array {}
  class Pairs extends Map {}
  for (const [value, why] of [
    [Object.assign([1, 2], { sum: 3 }), "a list's further value at .sum"],
    [{ a: [List.of(1)] }, "a List at .a[0]"],
    [{ a: new Pairs() }, "a Pairs at .a"],
    [new (class Day extends Date {})(), "a Day"],
    [{ a: { [Symbol("b")]: 1 } }, "a symbol's value at .a"],
    [[1, undefined], "undefined at [1]"],
    [new Array(2), "undefined at [0]"],
    [Object.create(Object.create(Object.create(null))), "a value of a class"],
  ]) {
    assert.throws(() => codec.encode(value, 1_000), { message: why });
  }
  for (const value of [[], [[1], []], Object.create(null), { a: [] }]) codec.encode(value, 100);
});

test("bytes that are no value are refused", () => {
  for (const bytes of ["", "06", "01", "017b", "01ff", "04ff", "05ff"]) {
    assert.throws(() => codec.decodeResult(Buffer.from(bytes, "hex")), bytes);
  }
  assert.throws(() => [...codec.decode(Buffer.from("0305", "hex"))]);
});

test("a place in the log draws these numbers", () => {
  const draw = (index, term) => {
    const next = random.randomOf(index, term);
    return [next(), next(), next()];
  };
  assert.deepEqual(draw(1, 1), [0.957913737028166, 0.037873515011441206, 0.46406883462866755]);
  assert.deepEqual(draw(2, 1), [0.594676474403061, 0.8108732468840187, 0.8833336240487701]);
  assert.deepEqual(draw(2 ** 40, 3), [0.7224547740110601, 0.29061010536810994, 0.740470627072866]);
});

test("chance is fair, within a place and from one to the next", () => {
  const within = random.randomOf(5, 2);
  for (const next of [within, (_, call) => random.randomOf(call, 1)()]) {
    const tenths = new Array(10).fill(0);
    for (let call = 0; call < 20_000; call++) tenths[Math.floor(next(0, call) * 10)] += 1;
    // Six standard deviations.
    for (const count of tenths) assert.ok(Math.abs(count - 2_000) < 255, `${tenths}`);
  }
});
