// What becomes of a machine's mistakes: the same bytes in every engine, and the engine's words on the console, once.

import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";
import { bundle } from "../bundle.mjs";

const { adapter, codec } = await bundle({
  adapter: "machine/adapter.ts",
  codec: "machine/codec.ts",
});

const [APPLY, QUERY] = [0, 1];

test("a mistake is told once, and goes on as its name", (t) => {
  const { mock } = t.mock.method(console, "error", () => {});
  const make = () => ({
    apply: (command) => command.nothing.at,
    query: () => {
      throw new Error("poor");
    },
  });
  const machine = new adapter.Adapter(make(), make);
  const ask = (what) => codec.decodeResult(machine.call(what, codec.encode({}, 10), 1, 1, 1));
  assert.deepEqual(ask(QUERY), { type: "thrown", thrown: { name: "Error", message: "poor" } });
  assert.equal(mock.callCount(), 0);
  for (let times = 0; times < 3; times++)
    assert.deepEqual(ask(APPLY), { type: "thrown", thrown: { name: "TypeError", message: "" } });
  assert.equal(mock.callCount(), 1);
  const [text, error] = mock.calls[0].arguments;
  assert.match(text, /^quorate: the machine's apply\(\) threw/);
  assert.match(error.message, /nothing|undefined/);
});

test("a mistake that cannot be shown is none of the node's", () => {
  const odd = Object.assign(new TypeError("odd"), {
    [inspect.custom]: () => {
      throw odd;
    },
  });
  const fails = () => {
    throw odd;
  };
  const make = () => ({ apply: fails, query: fails });
  const machine = new adapter.Adapter(make(), make);
  const reply = codec.decodeResult(machine.call(APPLY, codec.encode(1, 10), 1, 1, 1));
  assert.equal(reply.thrown.name, "TypeError");
  assert.equal(machine.failure, undefined);
});
