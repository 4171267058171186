// Bad input: each gets its code and a sentence that names what is wrong, and nothing is left behind.

import assert from "node:assert/strict";
import test from "node:test";
import { Worker } from "node:worker_threads";
import { ArgumentError, CallError, Cluster, QuorateError } from "quorate";
import { failure, open, picture } from "./help.mjs";

test("options are checked before anything starts", async () => {
  const wrong = [
    [undefined, /an object/],
    [null, /an object/],
    ["shop", /an object/],
    [{}, /"name"/],
    [{ name: "" }, /"name"/],
    [{ name: 7 }, /"name"/],
    [{ name: "../up" }, /"name"/],
    [{ name: ".hidden" }, /"name"/],
    [{ name: "a/b" }, /"name"/],
    [{ name: "x".repeat(65) }, /"name"/],
    [{ name: "a", node: 3 }, /no field "node"/],
    [{ name: "a", nodes: 0 }, /"nodes".*1 to 7/],
    [{ name: "a", nodes: 8 }, /"nodes"/],
    [{ name: "a", nodes: 2.5 }, /"nodes"/],
    [{ name: "a", nodes: "3" }, /"nodes"/],
    [{ name: "a", storage: "disk" }, /"storage"/],
    [{ name: "a", storage: 5 }, /"storage"/],
    [{ name: "a", storage: "indexeddb" }, /browser/],
    [{ name: "a", directory: "" }, /"directory"/],
    [{ name: "a", directory: 5 }, /"directory"/],
    [{ name: "a", directory: "x\0y" }, /"directory"/],
    [{ name: "a", directory: "x", storage: "memory" }, /"directory"/],
    [{ name: "a", timeouts: 5 }, /"timeouts"/],
    [{ name: "a", timeouts: { elections: 5 } }, /no field "elections"/],
    [{ name: "a", timeouts: { election: 1 } }, /"timeouts.election"/],
    [{ name: "a", timeouts: { election: 100, heartbeat: 80 } }, /"timeouts.heartbeat".*50/],
    [{ name: "a", durability: "none" }, /"durability" is "strict" or "relaxed", not "none"/],
    [{ name: "a", durability: "relaxed" }, /durability.*goes with storage: "indexeddb"/],
    [{ name: "a", deadline: 0 }, /"deadline"/],
    [{ name: "a", deadline: Infinity }, /"deadline"/],
    [{ name: "a", signal: {} }, /"signal"/],
    [{ name: "a", wasm: "x.wasm" }, /"wasm"/],
    [{ name: "a", createWorker: "worker.js" }, /"createWorker"/],
  ];
  for (const [options, sentence] of wrong) {
    const error = await failure(Cluster.open(options), "INVALID_OPTION");
    assert.match(error.message, sentence);
    assert.ok(error instanceof ArgumentError);
    assert.equal(error.retryable, false);
  }
});

test("keys, values and call options are checked before anything is sent", async (t) => {
  const { kv } = await open(t, { nodes: 1 });
  const cycle = {};
  cycle.self = cycle;
  const argument = [
    () => kv.put("", 1),
    () => kv.put(new Uint8Array(), 1),
    () => kv.put(5, 1),
    () => kv.put(null, 1),
    () => kv.put("half \ud800", 1),
    () => kv.put("k"),
    () => kv.put("k", () => 1),
    () => kv.put("k", Symbol("s")),
    () => kv.put("k", 1n),
    () => kv.put("k", cycle),
    () => kv.put("k", 1, { timeout: 0 }),
    () => kv.put("k", 1, { timeout: "1s" }),
    () => kv.put("k", 1, { timeouts: 5 }),
    () => kv.put("k", 1, { signal: "now" }),
    () => kv.put("k", 1, 500),
    () => kv.append("k", "text"),
    () => kv.as("utf8").put("k", 5),
    () => kv.as("utf8").put("k", "\udc00"),
    () => kv.as("bytes").put("k", "text"),
    () => kv.as("bytes").put("k", [1, 2]),
    () => kv.as("xml"),
    () => kv.increment("k", 1.5),
    () => kv.increment("k", 2 ** 60),
    () => kv.increment("k", "1"),
    () => kv.range({ limit: 0 }),
    () => kv.range({ limit: -1 }),
    () => kv.range({ only: "values" }),
    () => kv.range({ from: "a" }),
    () => kv.range("cart/"),
    () => kv.deleteRange({}),
    () => kv.deleteRange({ prefix: 5 }),
    () => kv.deleteRange(),
  ];
  for (const call of argument) await failure(call, "INVALID_ARGUMENT");
  const { applied } = await open(t, { nodes: 1 }).then((fresh) => fresh.node(1).status());
  assert.ok(applied >= 0);
  assert.equal((await kv.range()).count, 0, "nothing was half done");
});

test("limits are exact", async (t) => {
  const { kv } = await open(t);
  const bytes = kv.as("bytes");
  await bytes.put("k".repeat(4096), new Uint8Array(1 << 20));
  assert.equal((await bytes.get("k".repeat(4096))).value.length, 1 << 20);
  await failure(bytes.put("k".repeat(4097), new Uint8Array()), "KEY_TOO_LARGE");
  await failure(bytes.get("ä".repeat(2049)), "KEY_TOO_LARGE");
  await failure(bytes.put("k", new Uint8Array((1 << 20) + 1)), "VALUE_TOO_LARGE");
  const other = new Uint8Array(1 << 20).fill(1);
  const swap = await bytes.compareAndSwap("k".repeat(4096), new Uint8Array(1 << 20), other);
  assert.equal(swap.swapped, true);
  await bytes.append("long", new Uint8Array(1 << 20));
  const error = await failure(bytes.append("long", Uint8Array.of(1)), "VALUE_TOO_LARGE");
  assert.equal(error.outcome, "not-applied");
  assert.equal((await bytes.get("long")).value.length, 1 << 20);
});

test("more calls than the client holds are refused, and the others answered", async (t) => {
  const { kv } = await open(t);
  const calls = await Promise.allSettled(
    Array.from({ length: 20_000 }, (_, at) => kv.get(`k${at % 7}`, { timeout: 60_000 })),
  );
  const refused = calls.filter(({ status }) => status === "rejected");
  assert.ok(refused.length > 0 && refused.length < calls.length, `${refused.length} were refused`);
  for (const { reason } of refused) {
    assert.equal(reason.code, "TOO_MANY_CALLS");
    assert.equal(reason.outcome, "not-applied");
    assert.match(reason.message, /wait for some/);
  }
});

test("calls of more bytes than the client holds are refused, and the others get through", async (t) => {
  const { kv } = await open(t);
  const value = new Uint8Array(1 << 20);
  const calls = await Promise.allSettled(
    Array.from({ length: 80 }, (_, at) =>
      kv.as("bytes").put(`k${at % 3}`, value, { timeout: 60_000 }),
    ),
  );
  const refused = calls.filter(({ status }) => status === "rejected");
  // 64 MiB with their keys.
  assert.equal(calls.length - refused.length, 63);
  for (const { reason } of refused) assert.equal(reason.code, "TOO_MANY_CALLS");
});

test("nodes are named by their ids", async (t) => {
  const cluster = await open(t);
  for (const id of [0, 4, 1.5, "1", undefined])
    await failure(() => cluster.node(id), "INVALID_ARGUMENT");
  assert.deepEqual(
    cluster.nodes.map(({ id }) => id),
    [1, 2, 3],
  );
});

test("a signal ends a call", async (t) => {
  const cluster = await open(t);
  await cluster.kv.put("k", 1);
  const past = await failure(
    cluster.kv.put("k", 2, { signal: AbortSignal.abort("enough") }),
    "ABORTED",
  );
  assert.equal(past.outcome, "not-applied");
  assert.equal(past.cause, "enough");
  assert.ok(past instanceof CallError);
  assert.equal((await cluster.kv.get("k")).value, 1);

  for (const node of cluster.nodes) await node.kill();
  for (const wait of [
    (signal) => cluster.kv.put("k", 3, { signal }),
    (signal) => cluster.kv.get("k", { signal }),
    (signal) => cluster.leader({ signal }),
  ]) {
    const control = new AbortController();
    const call = failure(wait(control.signal), "ABORTED");
    setImmediate(() => control.abort(new Error("changed my mind")));
    assert.equal((await call).cause.message, "changed my mind");
  }
});

test("many calls share a signal, and many wait for a leader, without a warning", async (t) => {
  const warnings = [];
  const warned = (warning) => warnings.push(warning.message);
  process.on("warning", warned);
  t.after(() => process.off("warning", warned));
  const cluster = await open(t);
  const { signal } = new AbortController();
  const many = (call) => Promise.all(Array.from({ length: 20 }, call));
  await many((_, key) => cluster.kv.put(`k${key}`, key, { signal }));
  await many(() => cluster.status({ signal }));
  const controller = new AbortController();
  cluster.network.partition([1], [2], [3]);
  await failure(cluster.kv.put("k", 1, { timeout: 1_000 }), "NO_QUORUM");
  const { nodes } = await cluster.status();
  assert.equal(nodes.length, 3);
  const waiting = many(() => failure(cluster.leader({ signal: controller.signal }), "ABORTED"));
  const leaders = many(() => cluster.leader());
  controller.abort();
  await waiting;
  cluster.network.heal();
  assert.equal(new Set(await leaders).size, 1);
  // Warnings come with the next turn.
  await new Promise(setImmediate);
  assert.deepEqual(warnings, []);
});

test("opening can be aborted", async () => {
  await failure(
    Cluster.open({ name: "a", storage: "memory", signal: AbortSignal.abort() }),
    "ABORTED",
  );
  const control = new AbortController();
  const opening = failure(
    Cluster.open({ name: "a", storage: "memory", signal: control.signal }),
    "ABORTED",
  );
  setImmediate(() => control.abort());
  await opening;
});

test("an opening that is aborted late opens nothing", async () => {
  // Wherever it is by then: its signal is aborted at the beginning of one step after another.
  for (const type of ["hello", "opened", "started"]) {
    const control = new AbortController();
    const createWorker = () => {
      const worker = new Worker(new URL(import.meta.resolve("quorate/worker")));
      worker.on("message", (message) => message.type === type && control.abort(type));
      return worker;
    };
    const options = { name: "a", storage: "memory", createWorker, signal: control.signal };
    const opening = Cluster.open(options).then((cluster) => cluster.close());
    assert.equal((await failure(opening, "ABORTED")).cause, type);
  }
});

test("a closed cluster says so, and closing twice is closing once", async (t) => {
  const cluster = await open(t);
  const waiting = cluster.kv.put("k", 1);
  const outcome = failure(waiting, "CLOSED").then((error) => error.outcome);
  await Promise.all([cluster.close(), cluster.close()]);
  assert.ok(["not-applied", "unknown"].includes(await outcome));
  for (const call of [
    () => cluster.kv.put("k", 1),
    () => cluster.kv.get("k"),
    () => cluster.kv.range(),
    () => cluster.status(),
    () => cluster.leader(),
    () => cluster.node(1).status(),
    () => cluster.node(1).start(),
    () => cluster.network.heal(),
  ]) {
    const error = await failure(call, "CLOSED");
    assert.ok(error instanceof QuorateError);
  }
  await cluster.node(1).kill();
  await cluster.close();
});

test("closing ends the wait for a leader, and is no loss of a leader", async (t) => {
  const cluster = await open(t, { deadline: 86_400_000 });
  await Promise.all([1, 2].map((node) => cluster.node(node).kill()));
  await picture(cluster, ({ leader }) => leader === null);
  const waiting = failure(cluster.leader(), "CLOSED");
  const told = [];
  for (const type of ["leaderchange", "nodedown", "halted"])
    cluster.addEventListener(type, () => told.push(type));
  await cluster.close();
  await waiting;
  assert.deepEqual(told, []);
});

test("whoever is told that a lock went with its cluster may close that, too", async (t) => {
  const cluster = await open(t, { nodes: 1 });
  const { lost } = await cluster.kv.lock("a");
  let again;
  lost.addEventListener("abort", () => {
    again = cluster.close();
  });
  const closing = cluster.close();
  assert.equal(again, closing, "closing twice is closing once");
  await closing;
});

test("asyncDispose closes", async () => {
  const cluster = await Cluster.open({ name: "a", storage: "memory", nodes: 1 });
  await cluster[Symbol.asyncDispose]();
  await failure(() => cluster.kv.get("k"), "CLOSED");
});

test("WebAssembly that is none is told apart", async () => {
  const html = new TextEncoder().encode("<!doctype html><title>404</title>");
  for (const [wasm, sentence] of [
    [html, /HTML/],
    [new Uint8Array([1, 2, 3, 4]), /something else/],
    [new Uint8Array([0, 0x61, 0x73, 0x6d, 9, 9, 9, 9]), /compile/],
    [new Response("gone", { status: 404 }), /404/],
    [new Response(html), /HTML/],
    [new URL("./missing.wasm", import.meta.url), /missing\.wasm/],
  ]) {
    const error = await failure(Cluster.open({ name: "a", storage: "memory", wasm }), "WASM_LOAD");
    assert.match(error.message, sentence);
    assert.match(error.message, /quorate\/inline/);
  }
});

test("a worker that is none, or fails, is told", async () => {
  const make = (code) => () => new Worker(code, { eval: true });
  for (const createWorker of [
    make("throw new Error('broken')"),
    make("process.exit(3)"),
    () => ({ postMessage() {}, terminate() {} }),
    () => null,
    () => {
      throw new Error("no workers today");
    },
  ]) {
    await failure(Cluster.open({ name: "a", storage: "memory", createWorker }), "WORKER_FAILED");
  }
});
