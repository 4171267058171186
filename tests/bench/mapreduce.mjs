// Words counted by jobs on Node, beside plain programs that do the same, and the pipeline of GNU coreutils.
//
// Each runs in a process of its own, in turns; what comes of all of them must be the same.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { answer, at, Failure, must, which } from "../../scripts/lib/run.mjs";
import { makeCorpus } from "./mapreduce/corpus.mjs";
import { medians, print, times, verdict } from "./table.mjs";

/** Aims: times what the pipeline does, times what one worker does. */
const aims = { pipeline: 5, workers: 1.7 };
const MB = 1_000_000;
const here = (...path) => at("tests", "bench", "mapreduce", ...path);

const cluster = (name, workers, job) => ({
  name: `${name}, ${workers === 1 ? "one worker" : "two workers"}`,
  command: (input, output, folder) => [
    process.execPath,
    here("process.mjs"),
    ...[input, output, join(folder, "cluster"), String(workers), job],
  ],
  tells: true,
});
const user = pathToFileURL(here("words.mjs")).href;

/** What is measured, by a name of its own. */
const rows = {
  builtIn: cluster("built-in job", 1, "wordcount"),
  builtIn2: cluster("built-in job", 2, "wordcount"),
  user: cluster("job in JavaScript", 1, user),
  user2: cluster("job in JavaScript", 2, user),
  javascript: {
    name: "plain program, JavaScript",
    command: (input, output) => [process.execPath, here("sequential.mjs"), input, output],
  },
  rust: {
    name: "plain program, Rust",
    build: () =>
      must("cargo", ["build", "--release", "-p", "quorate-bench", "--bin", "words"], {
        log: "bench.log",
      }),
    command: (input, output) => [at("target", "release", "words"), input, output],
  },
  coreutils: {
    name: "coreutils",
    needs: ["tr", "sort", "uniq"],
    command: (input, output) => ["sh", "-c", PIPELINE, input, output],
  },
};
const PIPELINE = `LC_ALL=C; export LC_ALL; tr -cs 'A-Za-z\\200-\\377' '\\n' < "$0" | sort | uniq -c > "$1"`;

/** Measures so many megabytes of text each, all rows that can be run here, or some of them. */
export async function measureMapReduce(sizes, repeat, names = Object.keys(rows)) {
  const missing = [];
  const able = [];
  for (const name of names) {
    try {
      await prepare(rows[name]);
      able.push(name);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      missing.push(`${rows[name].name}: ${error.message}`);
    }
  }
  if (timer() === undefined)
    missing.push("memory, and processor time of other programs: GNU time is not installed");
  const tables = [];
  for (const megabytes of sizes) {
    const input = at("target", "corpus", `${megabytes}.txt`);
    try {
      await makeCorpus(input, megabytes * MB);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      missing.push(`${megabytes} MB: ${error.message}`);
      continue;
    }
    tables.push({ megabytes, ...(await measureAll(able, input, repeat)) });
  }
  return { sort: answer("sort", ["--version"])?.split("\n")[0], tables, missing };
}

async function prepare({ build, needs = [] }) {
  const absent = needs.find((program) => which(program) === undefined);
  if (absent !== undefined) throw new Failure(`${absent} is not installed`);
  await build?.();
}

async function measureAll(names, input, repeat) {
  const results = names.map(() => []);
  let first;
  for (let turn = 0; turn < repeat; turn++) {
    for (const [place, name] of names.entries()) {
      const { found, ...row } = await measure(rows[name], input);
      first ??= found;
      if (found.digest !== first.digest)
        throw new Error(
          `${rows[name].name} found ${found.words} words, another ${first.words}, or counts differ`,
        );
      results[place].push({ name, ...row });
    }
  }
  return { words: first.words, rows: results.map(medians) };
}

/** One run: seconds of the clock and of processors, the largest process of it, and what it found. */
async function measure({ command, tells }, input) {
  // Beside the text, on the disk: the system's folder for temporary files may be memory.
  const folder = mkdtempSync(join(at("target"), "bench-"));
  try {
    const output = join(folder, "output");
    const words = command(input, output, folder);
    const report = join(folder, "time");
    const time = timer();
    const timed = time === undefined ? words : [time, "-f", "%U %S %M", "-o", report, ...words];
    const env = { ...process.env, TMPDIR: folder };
    const started = performance.now();
    const { stdout } = await promisify(execFile)(timed[0], timed.slice(1), { env });
    const row = { seconds: (performance.now() - started) / 1000 };
    if (time !== undefined) {
      const [user, system, kib] = readFileSync(report, "utf8").split(" ").map(Number);
      Object.assign(row, { cpuSeconds: user + system, peakBytes: kib * 1024 });
    }
    // A cluster tells what the job took; to open it is apart.
    if (tells) Object.assign(row, JSON.parse(stdout));
    return { ...row, found: found(output) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The words with their counts, in order, as a digest: of a file or of a directory of parts, of either form of lines. */
function found(output) {
  const parts = statSync(output).isDirectory()
    ? readdirSync(output)
        .filter((name) => name.startsWith("part-"))
        .map((name) => join(output, name))
    : [output];
  const lines = parts.flatMap((path) => {
    const text = readFileSync(path, "latin1");
    return text
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => line.replace(/^ *(\d+) (.*)$/, "$2\t$1"));
  });
  const hash = createHash("sha256");
  for (const line of lines.sort()) hash.update(`${line}\n`, "latin1");
  return { words: lines.length, digest: hash.digest("hex") };
}

/** A shell's own tells no memory, and others have other options. */
function timer() {
  const path = which("time");
  return path !== undefined && answer(path, ["--version"])?.includes("GNU") ? path : undefined;
}

export function printMapReduce({ sort, tables, missing }) {
  for (const table of tables) printTable(table, sort);
  if (tables.length > 1) printMemory(tables);
  for (const what of missing) console.log(`\nNot measured: ${what}`);
}

function printTable({ megabytes, words, rows: measured }, sort) {
  const of = Object.fromEntries(measured.map((row) => [row.name, row]));
  const ratio = (row, other) => (other === undefined ? "" : times(other.seconds / row.seconds));
  print(
    `${megabytes} MB of text with ${words.toLocaleString("en")} different words, counted on Node; ${sort}`,
    [
      "",
      "MB/s",
      "of coreutils",
      "of plain JavaScript",
      "of plain Rust",
      "CPU",
      "memory",
      "to open",
    ],
    measured.map((row) => [
      rows[row.name].name,
      (megabytes / row.seconds).toFixed(1),
      ratio(row, of.coreutils),
      ratio(row, of.javascript),
      ratio(row, of.rust),
      row.cpuSeconds === undefined ? "" : `${row.cpuSeconds.toFixed(2)} s`,
      memory(row.peakBytes),
      row.openMs === undefined ? "" : `${row.openMs.toFixed(0)} ms`,
    ]),
  );
  const lines = [
    ["built-in job, one worker, of coreutils", of.coreutils, of.builtIn, aims.pipeline],
    ["built-in job, two workers, of coreutils", of.coreutils, of.builtIn2, aims.pipeline],
    ["built-in job, two workers of one", of.builtIn, of.builtIn2, aims.workers],
    ["job in JavaScript, two workers of one", of.user, of.user2, aims.workers],
  ]
    .filter(([, slow, fast]) => slow !== undefined && fast !== undefined)
    .map(([what, slow, fast, aim]) => {
      const reached = slow.seconds / fast.seconds;
      return [what, times(reached), `at least ${times(aim)}`, verdict(reached >= aim)];
    });
  if (lines.length > 0) print(`${megabytes} MB: aims`, ["", "is", "aim", ""], lines);
}

function printMemory([small, ...larger]) {
  print(
    "Memory of the largest process, by the size of the text",
    ["", `${small.megabytes} MB`, ...larger.flatMap(({ megabytes }) => [`${megabytes} MB`, ""])],
    small.rows.map(({ name, peakBytes }, at) => [
      rows[name].name,
      memory(peakBytes),
      ...larger.flatMap((table) => {
        const { peakBytes: grown } = table.rows[at];
        return grown === undefined ? ["", ""] : [memory(grown), times(grown / peakBytes)];
      }),
    ]),
  );
}

const memory = (bytes) => (bytes === undefined ? "" : `${(bytes / MB).toFixed(0)} MB`);
