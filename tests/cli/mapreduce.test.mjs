// Jobs over files: what comes of them is what a plain program comes to, and what fails publishes nothing.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { cli, run, said, scratch, shell, start } from "./help.mjs";

const module = fileURLToPath(new URL("./jobs/words.mjs", import.meta.url));

/** Files of some words, the same each time, in `texts`. */
function write(cwd, files = 3, lines = 200) {
  const words = ["the", "cat", "sat", "on", "mat", "dog", "fox"];
  mkdirSync(join(cwd, "texts"));
  let seed = 1;
  const next = (below) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const line = () => Array.from({ length: 1 + next(9) }, () => words[next(7)]).join(" ");
  for (let file = 0; file < files; file++) {
    const text = Array.from({ length: lines }, line).join("\n");
    writeFileSync(join(cwd, "texts", `${file}.txt`), text);
  }
}

/** What a plain program counts in these files, as a job writes it. */
function counted(cwd, names) {
  const counts = new Map();
  for (const name of names)
    for (const word of readFileSync(join(cwd, "texts", name), "utf8").split(/\s+/))
      counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => `${word}\t${count}`).sort();
}

/** What only the part for jobs says. */
const MARK = '"input" is made of paths, URLs';
const lines = (text) => text.split("\n").filter(Boolean).sort();
const results = (folder) =>
  lines(
    readdirSync(folder)
      .filter((name) => name.startsWith("part-"))
      .map((name) => readFileSync(join(folder, name), "utf8"))
      .join(""),
  );

test("words are counted as a plain program counts them", async (t) => {
  const cwd = scratch(t);
  write(cwd);
  writeFileSync(join(cwd, "texts", "none.md"), "not this one");
  const q = shell(cwd, { TMPDIR: cwd });
  const all = ["0.txt", "1.txt", "2.txt"];
  const files = await q("mapreduce --job wordcount --input 'texts/*.txt' --output out/");
  assert.equal(files.code, 0, files.stderr);
  assert.deepEqual(results(join(cwd, "out")), counted(cwd, all));
  assert.equal(readdirSync(join(cwd, "out")).length, 9);
  assert.match(
    files.stdout,
    /^job 1: 8 outputs, .* in out\/, .*\nmap +3 tasks .*\nreduce +8 tasks /,
  );
  assert.match(files.stdout, /records 600,.*\nno stragglers: /);
  assert.match(files.stderr, /^completed$/m);
  const two = await q(
    "mapreduce --job wordcount --input texts/0.txt --input texts/2.txt --output - --partitions 2 --lease 1h",
  );
  assert.equal(two.code, 0, two.stderr);
  assert.deepEqual(lines(two.stdout), counted(cwd, ["0.txt", "2.txt"]));
  assert.match(two.stderr, /^job 1: 2 outputs/m);
  const own = await q(`mapreduce --job ${module} --input texts/*.txt --output own --json`);
  assert.deepEqual([own.code, own.stderr, own.objects.length], [0, "", 1]);
  const [{ counters, outputs, output, map, reduce, stragglers }] = own.objects;
  assert.equal(counters.records, 600);
  assert.equal(
    outputs.reduce((sum, { bytes }) => sum + bytes, 0),
    results(join(cwd, "own")).join("\n").length + 1,
  );
  assert.deepEqual([output, map.tasks, reduce.tasks], ["own", 3, 8]);
  assert.ok(Array.isArray(stragglers));
  assert.deepEqual(results(join(cwd, "own")), counted(cwd, all));
  assert.deepEqual(readdirSync(cwd).sort(), ["out", "own", "texts"], "nothing is left");
});

test("what is given reaches the job", async (t) => {
  const cwd = scratch(t);
  mkdirSync(join(cwd, "in"));
  writeFileSync(join(cwd, "in", "a"), "One two;one three;TWO");
  const q = shell(cwd);
  const job = async (line) => {
    const { code, stdout, stderr } = await q(
      `mapreduce ${line} --input in --output - --partitions 1`,
    );
    assert.equal(code, 0, stderr);
    return stdout;
  };
  assert.equal(await job("--job wordcount --fold"), "one\t2\nthree\t1\ntwo\t2\n");
  const some = "--job grep --pattern one --records delimiter:;";
  assert.equal(await job(some), "one three\n");
  const sorted = ";one th\nOne two\nree;TWO\n";
  assert.equal(await job("--job sort --records length:7 --memory 64KiB"), sorted);
  for (const [line, told] of [
    ["--job wordcount", /^USAGE: mapreduce takes --job, --input and --output/],
    ["--job nonsense --input in --output o", /^INVALID_ARGUMENT: .*nonsense/],
    ["--job grep --input in --output o", /^INVALID_ARGUMENT: .*pattern/],
    ["--job sort --input in --output o --memory 64MB", /^USAGE: --memory is a size, such as 64MiB/],
    ["--job sort --input in --output o --records words", /^USAGE: --records is lines, /],
    ["--job sort --input in --output o --params {", /^USAGE: --params is no JSON/],
    ["--job sort --input in --output o --partitions 0", /^INVALID_ARGUMENT: .*partitions/],
    ["--job sort --input in --output - --json", /USAGE.*--json/],
    ["--resume 1", /^USAGE: --resume needs --dir/],
    ["--resume 1 --dir d --job sort", /^USAGE: --job is known/],
    ["--resume 1 --dir d --output o", /^USAGE: --output is known/],
  ]) {
    const { code, stdout, stderr } = await q(`mapreduce ${line}`);
    assert.deepEqual([code, stdout], [2, ""], line);
    assert.match(stderr, told);
  }
  const none = await q("mapreduce --resume 1 --dir d");
  assert.match(none.stderr, /^NO_CLUSTER: /);
  assert.deepEqual(readdirSync(cwd), ["in"]);
});

test("a record over which the job fails is named, or left out", async (t) => {
  const cwd = scratch(t);
  writeFileSync(join(cwd, "in"), "a b\nTHROW it\na\n");
  const q = shell(cwd);
  const job = `mapreduce --job ${module} --input in --output out --partitions 1`;
  const { code, stdout, stderr } = await q(job);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(
    stderr,
    /^JOB_FAILED: job 1 failed in map 0, record at 4: .* of in threw: no use for THROW it.* \(JOB_THREW\)$/m,
  );
  const { errors } = await q(`${job} --json`);
  const [{ error }] = errors;
  assert.deepEqual([error.code, error.task, error.record], ["JOB_FAILED", "map 0", 4]);
  assert.equal(error.cause.code, "JOB_THREW");
  assert.deepEqual(readdirSync(cwd), ["in"]);
  const skipped = await q(`${job} --skip 1 --json`);
  assert.equal(skipped.code, 0, skipped.stderr);
  assert.equal(skipped.objects[0].counters.skipped, 1);
  assert.equal(readFileSync(join(cwd, "out", "part-00000"), "utf8"), "a\t2\nb\t1\n");
});

test("results never take the place of others", async (t) => {
  const cwd = scratch(t);
  write(cwd, 1, 5);
  mkdirSync(join(cwd, "out"));
  writeFileSync(join(cwd, "out", "mine"), "as it was");
  const q = shell(cwd);
  const { code, stdout, stderr } = await q("mapreduce --job wordcount --input texts --output out");
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^OUTPUT_EXISTS: out is there, and not empty\n$/);
  assert.deepEqual(readdirSync(join(cwd, "out")), ["mine"]);
  assert.equal(readFileSync(join(cwd, "out", "mine"), "utf8"), "as it was");
  const gone = await q("mapreduce --job wordcount --input 'none*' --output fresh");
  assert.deepEqual([gone.code, /^INPUT_NOT_FOUND: /.test(gone.stderr)], [1, true], gone.stderr);
  assert.deepEqual(readdirSync(cwd).sort(), ["out", "texts"]);
});

test("Ctrl-C cancels the job, and nothing is published", async (t) => {
  const cwd = scratch(t);
  write(cwd, 1, 400);
  const words = ["mapreduce", "--job", module, "--input", "texts", "--output", "out"];
  const slow = ["--params", '{"pause":50}', "--workers", "1"];
  const job = start([...words, ...slow], { cwd, env: { TMPDIR: cwd } });
  await said(job, /mapping/);
  job.child.kill("SIGINT");
  const { code, stdout, stderr } = await job.ended;
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^JOB_CANCELLED: job 1 was cancelled$/m);
  assert.deepEqual(readdirSync(cwd), ["texts"]);
});

test("a job whose process died is taken up again", async (t) => {
  const cwd = scratch(t);
  write(cwd, 1, 1_000);
  const size = readFileSync(join(cwd, "texts", "0.txt")).length;
  const words = ["mapreduce", "--job", module, "--input", "texts", "--output", "out"];
  const how = ["--dir", "jobs", "--split", `${Math.ceil(size / 8)}`, "--workers", "1"];
  const slow = ["--params", '{"pause":3}', "--partitions", "2", "--lease", "500ms"];
  const job = start([...words, ...how, ...slow], { cwd });
  await said(job, /job 1; .*--resume 1 --dir jobs/);
  // Until something is done that need not be done again.
  const isMapped = () => existsSync(join(cwd, "jobs", "scratch", "1", "m2.0"));
  while (!isMapped()) await new Promise((resolve) => setTimeout(resolve, 10));
  process.kill(job.child.pid, "SIGKILL");
  assert.equal((await job.ended).signal, "SIGKILL");
  assert.deepEqual(readdirSync(cwd).sort(), ["jobs", "texts"]);
  const q = shell(cwd);
  const { code, objects, stderr } = await q("mapreduce --resume 1 --dir jobs --json");
  assert.equal(code, 0, stderr);
  assert.equal(objects[0].map.tasks, 8);
  assert.deepEqual(results(join(cwd, "out")), counted(cwd, ["0.txt"]));
  assert.match((await q("mapreduce --resume 2 --dir jobs")).stderr, /^UNKNOWN_JOB: .*job 2/);
  const store = await q("get a --dir jobs");
  assert.match(store.stderr, /^MACHINE_MISMATCH: /, "which is no store");
});

test("no other command loads what jobs need, and it is there once", () => {
  const isThere = (entry) => {
    const seen = new Set([join(dist, entry)]);
    let found = 0;
    for (const path of seen) {
      const text = readFileSync(path, "utf8");
      for (const [, name] of text.matchAll(/^(?:import|export)\b[^;]*?"\.\/([\w-]+\.js)"/gm))
        seen.add(join(dist, name));
      if (text.includes(MARK)) found += 1;
    }
    return found;
  };
  const dist = join(cli, "..");
  assert.deepEqual([isThere("cli.js"), isThere("mapreduce-node.js")], [0, 1]);
  const copies = readdirSync(dist).filter(
    (name) => name.endsWith(".js") && readFileSync(join(dist, name), "utf8").includes(MARK),
  );
  assert.equal(copies.length, 1);
});

test("what can come next", async (t) => {
  const cwd = scratch(t);
  const next = async (...words) => {
    const { stdout } = await run(["__complete", "mapreduce", ...words], { cwd });
    return stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => line.split("\t")[0]);
  };
  assert.deepEqual(await next("--job", ""), [":files", "wordcount", "index", "grep", "sort"]);
  assert.deepEqual(await next("--job", "w"), [":files", "wordcount"]);
  assert.deepEqual(await next("--records", "de"), ["delimiter:"]);
  assert.deepEqual(await next("--input", "a", "--input", ""), [":files"]);
  assert.deepEqual(await next("--memory", "64MiB", "--resu"), ["--resume"]);
  // Where it stands before the command, an option is that command's.
  const { stdout } = await run(["--memory", "cluster"], { cwd, input: "put k v\n" });
  assert.equal(stdout, "ok\n");
});
