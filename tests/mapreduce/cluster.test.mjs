// Jobs on worker threads: what comes of them is what a plain program comes to, whoever dies on the way.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Cluster } from "quorate";
import { JobError, MapReduceCluster } from "quorate/mapreduce";

const folder = mkdtempSync(join(tmpdir(), "quorate-mapreduce-"));
after(() => rmSync(folder, { recursive: true }));
const job = (name) => new URL(`./jobs/${name}.mjs`, import.meta.url);

let clusters = 0;
async function open(t, options = {}) {
  const name = `jobs-${++clusters}`;
  const directory = join(folder, name);
  const settings = { name, directory, storage: "directory", workers: 2, ...options };
  const cluster = await MapReduceCluster.open(settings);
  t.after(() => cluster.close());
  return cluster;
}

/** Lines of some words, the same each time. */
function text(lines) {
  const words = ["the", "cat", "sat", "on", "mat", "Größe", "dog", "naïve", "水"];
  let seed = 1;
  const next = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed;
  };
  return Array.from({ length: lines }, () =>
    Array.from({ length: 1 + (next() % 9) }, () => words[next() % words.length]).join(" "),
  ).join("\n");
}

/** What a plain program counts, as the job writes it. */
function counted(input) {
  const counts = new Map();
  for (const word of input.split(/[^\p{L}]+/u))
    if (word !== "") counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => `${word}\t${count}`).sort();
}

const linesOf = async (result) => (await result.text()).split("\n").filter(Boolean).sort();

const failed = async (running) => {
  const error = await running.result().then(
    () => assert.fail("it succeeds"),
    (error) => error,
  );
  assert.ok(error instanceof JobError, String(error));
  return error;
};

test("a job of many splits comes to what a plain program comes to", async (t) => {
  const cluster = await open(t);
  const input = text(3_000);
  const running = await cluster.mapReduce({
    input: new Blob([input]),
    job: job("words"),
    partitions: 3,
    split: 4_096,
  });
  const happened = [];
  const listening = (async () => {
    for await (const event of running.events) happened.push(event);
  })();
  const { size } = new Blob([input]);
  let [phase, read, busiest] = ["waiting", 0, 0];
  for await (const picture of running.progress) {
    phase = picture.phase;
    assert.equal(picture.map.total, Math.ceil(size / 4_096));
    assert.equal(picture.input.bytes, size);
    assert.ok(picture.input.read >= 0 && picture.input.read <= size);
    read = picture.input.read;
    busiest = Math.max(busiest, picture.running.length);
    for (const { worker } of picture.running)
      assert.ok(happened.length === 0 || cluster.workers.list().some(({ id }) => id === worker));
  }
  assert.deepEqual([phase, read], ["completed", size]);
  assert.ok(busiest <= 2, "as many tasks as workers");
  await listening;
  assert.deepEqual(happened, await running.history());
  assert.deepEqual(
    happened.map(({ number }) => number),
    happened.map((_, at) => at),
  );
  const phases = happened.filter(({ what }) => what === "phase").map(({ detail }) => detail);
  assert.deepEqual(phases, ["waiting", "mapping", "reducing", "publishing", "completed"]);
  const result = await running.result();
  assert.deepEqual(await linesOf(result), counted(input));
  assert.equal(result.counters.lines, 3_000);
  assert.equal(result.counters.records, 3_000);
  assert.equal(result.outputs.length, 3);
  const won = (await running.history()).filter(({ what }) => what === "won");
  const names = won.map(({ kind, task }) => `${kind} ${task}`);
  assert.equal(new Set(names).size, names.length, "each task has one winner");
});

test("values come in the order of the input, keys where partition() says", async (t) => {
  const cluster = await open(t);
  const input = "b1\na1\nb2\na2\nc1\nb3\n";
  for (const split of [1_024, undefined]) {
    const running = await cluster.mapReduce({
      input: [new Blob([input]), new Blob(["b4\n"])],
      job: job("bytes"),
      partitions: 2,
      ...(split && { split }),
    });
    const { outputs } = await running.result();
    const texts = await Promise.all(outputs.map((output) => output.text()));
    assert.deepEqual(texts, ["b=0:b1,6:b2,15:b3,0:b4\n", "a=3:a1,9:a2\nc=12:c1\n"]);
  }
});

test("values that are combined stay in order, whether they are kept, changed afterwards or written down", async (t) => {
  const cluster = await open(t);
  const values = { a: [], b: [], c: [] };
  const lines = Array.from({ length: 4_000 }, (_, at) => {
    const key = at % 7 === 0 ? "c" : at % 2 === 0 ? "b" : "a";
    const some = at % 500 === 0 || key === "c" ? [at, `${at}x`] : [at];
    values[key].push(...some);
    return `${key} ${some.join(" ")}`;
  });
  const running = await cluster.mapReduce({
    input: new Blob([lines.join("\n")]),
    job: job("chain"),
    partitions: 1,
    memory: 64 << 10,
    split: 16 << 10,
  });
  const expected = Object.entries(values).map(([key, all]) => `${key}\t${all.join(",")}\n`);
  assert.equal(await (await running.result()).text(), expected.join(""));
});

test("keys come in the order of compare(), however much is spilled and merged", async (t) => {
  const cluster = await open(t);
  const spellings = [(n) => `${n}`, (n) => `${n}.0`, (n) => `0${n}`];
  const records = Array.from({ length: 24_000 }, (_, at) => ({
    number: (at * 7_919) % 3_001,
    value: `v${at}`,
    spelling: spellings[at % 3],
  }));
  const input = records.map(({ number, value, spelling }) => `${spelling(number)} ${value}\n`);
  const lines = [0, 1].map((partition) => {
    const groups = new Map();
    for (const { number, value } of records)
      if (number % 2 === partition) groups.set(number, [...(groups.get(number) ?? []), value]);
    const numbers = [...groups.keys()].sort((first, second) => second - first);
    return numbers.map((number) => groups.get(number).join("+"));
  });
  // Many maps with one spill each; few with many; and all of it at once.
  for (const [split, memory] of [
    [3_000, 1 << 20],
    [60_000, 64 << 10],
    [1 << 20, 64 << 20],
  ]) {
    const running = await cluster.mapReduce({
      input: new Blob(input),
      job: job("numbers"),
      partitions: 2,
      ...{ split, memory },
    });
    const { outputs } = await running.result();
    const texts = await Promise.all(outputs.map((output) => output.text()));
    const values = texts.map((text) =>
      text
        .split("\n")
        .filter(Boolean)
        .map((line) => line.split("\t")[1]),
    );
    assert.deepEqual(values, lines);
  }
  const error = await failed(
    await cluster.mapReduce({ input: new Blob(["1 a\nBAD"]), job: job("numbers"), attempts: 2 }),
  );
  assert.equal(error.cause.code, "EMIT_INVALID");
});

test("the same, while workers and the leader are killed, and one comes and one leaves", async (t) => {
  const cluster = await open(t);
  const input = text(1_500);
  const running = await cluster.mapReduce({
    input: new Blob([input]),
    job: job("slow"),
    partitions: 2,
    split: 2_048,
    lease: 2_000,
    attempts: 50,
  });
  for (let round = 0; round < 3; round++) {
    await pause(150);
    const [busy] = cluster.workers.list().filter(({ task }) => task !== null);
    if (busy !== undefined) await cluster.workers.kill(busy.id);
    const leader = (await Promise.all(cluster.nodes.map((node) => node.status().catch(() => null))))
      .filter((status) => status?.role === "leader")
      .at(0);
    if (leader === undefined) continue;
    await cluster.node(leader.id).kill();
    await pause(300);
    await cluster.node(leader.id).start();
  }
  await cluster.workers.add();
  await cluster.workers.remove();
  assert.deepEqual(await linesOf(await running.result()), counted(input));
  const history = await running.history();
  assert.ok(
    history.some(({ what }) => what === "died"),
    "a worker died on a task",
  );
});

test("a record over which map() throws fails the job, with its place; or it is left out", async (t) => {
  const cluster = await open(t);
  const input = `a b\nTHROW here\nc\n`;
  const options = { input: new Blob([input]), job: job("words"), partitions: 1 };
  const error = await failed(await cluster.mapReduce(options));
  assert.equal(error.code, "JOB_FAILED");
  assert.equal(error.task, "map 0");
  assert.equal(error.record, 4);
  assert.equal(error.cause.code, "JOB_THREW");
  assert.match(error.message, /map\(\) of a record of input 1 threw: no use for THROW here/);
  assert.equal(error.cause.record, 4);
  const running = await cluster.mapReduce({ ...options, skip: 1 });
  const result = await running.result();
  assert.equal(await result.text(), "a\t1\nb\t1\nc\t1\n");
  assert.equal(result.counters.skipped, 1);
  const told = await running.history();
  const details = (wanted) =>
    told.filter(({ what }) => what === wanted).map(({ detail }) => detail);
  assert.deepEqual([details("failed"), details("skipped")], [[4, 4], [4]]);
});

for (const [what, word, lease] of [
  ["ends its worker", "EXIT", 10_000],
  // Only silence tells.
  ["never ends", "HANG", 1_000],
]) {
  test(`a record that ${what} is found, and left out`, async (t) => {
    const cluster = await open(t);
    const lines = Array.from({ length: 40 }, (_, at) =>
      at === 27 ? word : `w${"x".repeat(at % 5)}`,
    );
    const running = await cluster.mapReduce({
      input: new Blob([lines.join("\n")]),
      job: job("words"),
      partitions: 1,
      skip: 1,
      lease,
      attempts: 20,
    });
    const result = await running.result();
    assert.equal(result.counters.skipped, 1);
    lines.splice(27, 1);
    assert.deepEqual(await linesOf(result), counted(lines.join("\n")));
  });
}

test("a worker that died too often is the cause of the failure", async (t) => {
  const cluster = await open(t);
  const input = new Blob(["EXIT\n"]);
  const error = await failed(await cluster.mapReduce({ input, job: job("words"), attempts: 1 }));
  assert.deepEqual([error.code, error.cause.code], ["JOB_FAILED", "WORKER_LOST"]);
});

test("bad jobs are refused with what is wrong", async (t) => {
  const cluster = await open(t, { workers: 1 });
  const input = new Blob(["NUMBER\n"]);
  const causes = [];
  for (const module of [job("nowhere"), job("half"), job("words")]) {
    const error = await failed(await cluster.mapReduce({ input, job: module, attempts: 1 }));
    causes.push(error.cause.code);
  }
  assert.deepEqual(causes, ["JOB_LOAD", "JOB_INVALID", "EMIT_INVALID"]);
  const refused = async (options, code) =>
    assert.rejects(cluster.mapReduce({ input, job: "wordcount", ...options }), { code });
  await refused({ partitions: 0 }, "INVALID_ARGUMENT");
  await refused({ job: "nonsense" }, "INVALID_ARGUMENT");
  await refused({ job: "grep" }, "INVALID_ARGUMENT");
  await refused({ input: [] }, "INVALID_ARGUMENT");
  await refused({ input: join(folder, "nothing") }, "INPUT_NOT_FOUND");
  await refused({ input: join(folder, "nothing*.txt") }, "INPUT_NOT_FOUND");
});

test("what cannot be a pair or a result is named, with its record", async (t) => {
  const cluster = await open(t, { workers: 1 });
  const run = (records, more) =>
    cluster.mapReduce({
      input: new Blob([records.join("\n")]),
      job: job("wrong"),
      partitions: 1,
      attempts: 2,
      ...more,
    });
  for (const [shape, task, record, code = "EMIT_INVALID"] of [
    ["key", "map 0", 5],
    ["long", "map 0", 5],
    ["value", "map 0", 5],
    ["nothing", "map 0", 5],
    ["partition", "map 0", 5],
    // Of no one record.
    ["combine", "map 0", undefined, "JOB_INVALID"],
    // The first key of its partition.
    ["result", "reduce 0", 0],
  ]) {
    const error = await failed(await run(["fine", shape]));
    assert.deepEqual([error.task, error.record, error.cause.code], [task, record, code], shape);
  }
  const result = await (await run(["key", "fine", "nothing", "result"], { skip: 3 })).result();
  assert.equal(await result.text(), "b\tfine\n");
  assert.equal(result.counters.skipped, 3);
  const long = new Blob(["fine\n", "x".repeat((16 << 20) + 1)]);
  const error = await failed(
    await cluster.mapReduce({ input: long, job: job("wrong"), attempts: 1, skip: 1 }),
  );
  assert.deepEqual([error.record, error.cause.code], [5, "RECORD_TOO_LONG"]);
});

test("scratch storage that cannot be written fails the job, and the next one goes on", async (t) => {
  const scratch = join(folder, "full");
  const cluster = await open(t, { scratch });
  const input = new Blob(["a b\n"]);
  const settings = { input, job: job("words"), partitions: 1, attempts: 2 };
  // Where its files would be there is one.
  mkdirSync(scratch, { recursive: true });
  writeFileSync(join(scratch, "1"), "");
  const output = join(folder, "unwritten");
  const error = await failed(await cluster.mapReduce({ ...settings, output }));
  assert.deepEqual(
    [error.code, error.task, error.cause.code],
    ["JOB_FAILED", "map 0", "SCRATCH_FULL"],
  );
  assert.ok(!readdirSync(folder).some((name) => name.startsWith("unwritten")));
  const running = await cluster.mapReduce(settings);
  assert.equal(await (await running.result()).text(), "a\t1\nb\t1\n");
});

test("a file that changes while the job runs fails it", async (t) => {
  const cluster = await open(t, { workers: 1 });
  const path = join(folder, "changes.txt");
  writeFileSync(path, text(400));
  const running = await cluster.mapReduce({
    input: path,
    job: job("slow"),
    attempts: 1,
    split: 1_024,
  });
  writeFileSync(path, text(100));
  const error = await failed(running);
  assert.equal(error.cause.code, "INPUT_CHANGED");
});

test("results appear in a directory at once, and only where there are none", async (t) => {
  const cluster = await open(t);
  const output = join(folder, "results");
  const input = text(200);
  const options = { input: new Blob([input]), job: "wordcount", partitions: 2, output };
  const result = await (await cluster.mapReduce(options)).result();
  assert.deepEqual(readdirSync(output), ["_SUCCESS", "part-00000", "part-00001"]);
  const parts = ["part-00000", "part-00001"].map((part) =>
    readFileSync(join(output, part), "utf8"),
  );
  assert.equal(await result.text(), parts.join(""));
  await assert.rejects(cluster.mapReduce(options), { code: "OUTPUT_EXISTS" });
});

test("a store's keys go in, and results come out as keys", async (t) => {
  const cluster = await open(t);
  const store = await Cluster.open({ name: "store", storage: "memory", nodes: 1 });
  t.after(() => store.close());
  for (let at = 0; at < 5; at++) await store.kv.put(`in/${at}`, `word w${at % 2}`);
  const output = { kv: store.kv, prefix: "out" };
  const running = await cluster.mapReduce({
    input: { kv: store.kv, prefix: "in/" },
    job: "wordcount",
    partitions: 2,
    output,
  });
  await running.result();
  const { value } = await store.kv.get("out");
  const found = await store.kv.range({ prefix: value.prefix });
  const words = Object.fromEntries(
    found.entries.map(({ key, value: count }) => [key.slice(value.prefix.length), count]),
  );
  assert.deepEqual(words, { in: "5", w: "5", word: "5" });
  await assert.rejects(cluster.mapReduce({ input: new Blob(["x"]), job: "wordcount", output }), {
    code: "OUTPUT_EXISTS",
  });
});

test("a job is cancelled, by a call and by a signal", async (t) => {
  const cluster = await open(t);
  const options = { input: new Blob([text(2_000)]), job: job("slow"), split: 1_024 };
  const one = await cluster.mapReduce(options);
  await one.cancel();
  await assert.rejects(one.result(), { code: "JOB_CANCELLED" });
  const stop = new AbortController();
  const other = await cluster.mapReduce(options, { signal: stop.signal });
  stop.abort();
  await assert.rejects(other.result(), { code: "JOB_CANCELLED" });
  assert.equal((await (await cluster.mapReduce({ ...options, job: "wordcount" })).result()).id, 3);
});

test("a job that is cancelled while it is published is published or cancelled, not both", async (t) => {
  const cluster = await open(t);
  const store = await Cluster.open({ name: "cancelled", storage: "memory", nodes: 1 });
  t.after(() => store.close());
  const { kv } = store;
  for (const [prefix, isLast] of [
    ["early", (txn) => txn.if === undefined],
    ["late", (txn) => txn.if !== undefined],
  ]) {
    let running;
    let cancelled;
    const txn = async (asked) => {
      if (isLast(asked)) {
        cancelled ??= running.cancel();
        // Whoever would not wait for this could do its worst meanwhile.
        await Promise.race([cancelled, pause(300)]);
      }
      return kv.txn(asked);
    };
    const target = { get: (...given) => kv.get(...given), range: () => {}, txn };
    running = await cluster.mapReduce({
      input: new Blob(["a b\n"]),
      job: "wordcount",
      partitions: 1,
      output: { kv: target, prefix },
    });
    const code = await running.result().then(
      () => "published",
      (error) => error.code,
    );
    await cancelled;
    const mark = await kv.get(prefix);
    assert.deepEqual(
      [code, mark !== null],
      prefix === "early" ? ["JOB_CANCELLED", false] : ["published", true],
    );
  }
});

test("another process goes on where the first one was", async (t) => {
  const path = join(folder, "resumed.txt");
  const input = text(1_000);
  writeFileSync(path, input);
  const name = "resumed";
  const settings = { name, directory: join(folder, name), storage: "directory", workers: 2 };
  const first = await MapReduceCluster.open(settings);
  const begun = await first.mapReduce({
    input: path,
    job: job("slow"),
    split: 2_048,
    partitions: 2,
  });
  begun.result().catch(() => {});
  for await (const { map } of begun.progress) if (map.completed >= 4) break;
  await first.close();
  const second = await MapReduceCluster.open(settings);
  t.after(() => second.close());
  const running = await second.resume(begun.id);
  assert.deepEqual(await linesOf(await running.result()), counted(input));
  const won = (await running.history()).filter(
    ({ what, kind }) => what === "won" && kind === "map",
  );
  assert.equal(new Set(won.map(({ task }) => task)).size, won.length, "no map is done twice");
  await second.forget(begun.id);
  await assert.rejects(second.resume(begun.id), { code: "UNKNOWN_JOB" });
});

test("what is kept of streams, and what maps write, is there for as long as the job", async (t) => {
  const input = text(400);
  const directory = join(folder, "kept");
  const scratch = join(directory, "scratch");
  const settings = { name: "kept", directory, storage: "directory", workers: 2 };
  const bytes = new TextEncoder().encode(input);
  const first = await MapReduceCluster.open(settings);
  const broken = new ReadableStream({
    start: (controller) => {
      controller.enqueue(bytes);
      controller.error(new Error("it breaks"));
    },
  });
  await assert.rejects(first.mapReduce({ input: broken, job: "wordcount" }), {
    code: "INPUT_NOT_FOUND",
  });
  assert.deepEqual(readdirSync(scratch), []);
  const options = { job: job("slow"), split: 1_024, partitions: 1 };
  const begun = await first.mapReduce({
    ...options,
    input: [new Response(bytes), bytes.slice(0, 9)],
  });
  begun.result().catch(() => {});
  await first.close();
  const kept = () => readdirSync(scratch).filter((name) => name.startsWith("keep-"));
  const [place] = kept();
  mkdirSync(join(scratch, "keep-of-nobody"));

  const second = await MapReduceCluster.open(settings);
  assert.deepEqual(kept(), [place]);
  await assert.rejects(second.resume(begun.id), { code: "INVALID_ARGUMENT" });
  const again = [new Blob([bytes]).stream(), bytes.slice(0, 9)];
  const running = await second.resume(begun.id, { input: again });
  const result = await running.result();
  assert.deepEqual(await linesOf(result), counted(`${input}\n${input.slice(0, 9)}`));
  await second.close();
  assert.deepEqual(readdirSync(scratch), [`${begun.id}`]);
  const own = join(scratch, `${begun.id}`);
  const results = readdirSync(own);
  assert.deepEqual(
    results,
    results.filter((name) => name.startsWith("r")),
  );
  writeFileSync(join(own, "m0.9"), "of a worker that died");

  const third = await MapReduceCluster.open(settings);
  t.after(() => third.close());
  assert.deepEqual(readdirSync(own), results);
  assert.equal(await (await (await third.resume(begun.id)).result()).text(), await result.text());
  await third.forget(begun.id);
  assert.deepEqual(readdirSync(scratch), []);
});
