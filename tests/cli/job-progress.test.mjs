// What is shown of a job: the line of a terminal, the summary, and the table of stragglers.

import assert from "node:assert/strict";
import test from "node:test";
import { bundle } from "../bundle.mjs";

const { meter, stragglers, summary } = await bundle({
  meter: "cli/meter.ts",
  stragglers: "cli/stragglers.ts",
  summary: "cli/job-summary.ts",
});
const { bar, Meter, meterLine } = meter;
const { stragglersOf, stragglerTable } = stragglers;

/** Events of a job: rows of time, what, task as `map 3`, attempt, worker. */
const events = (rows) =>
  rows.map(([time, what, name = "job 0", attempt = 0, worker = 0, detail = 0], number) => {
    const [kind, task] = name.split(" ");
    return { number, time, what, kind, task: Number(task), attempt, worker, detail };
  });

/** Map tasks from 0 on that win, each after so long; they begin at 0. */
const won = (...times) =>
  times.flatMap((ms, task) => [
    [0, "given", `map ${task}`, 0, 50 + task],
    [ms, "won", `map ${task}`, 0, 50 + task],
  ]);

test("what took more than one and a half times the median of its kind is a straggler", () => {
  const found = stragglersOf(
    events([
      ...won(1_000, 1_000, 1_000, 1_500, 4_000),
      // Of another kind, where this is usual.
      [0, "given", "reduce 0", 0, 50],
      [9_000, "won", "reduce 0", 0, 50],
      [0, "given", "publish 0", 0, 50],
      [99_000, "won", "publish 0", 0, 50],
    ]),
  );
  assert.deepEqual(found, [
    { task: "map 4", attempt: 0, backup: false, worker: 5, ms: 4_000, times: 4, fate: "won" },
  ]);
  // Where two are in the middle, it is between them; what did not win does not count, what is lost does.
  const rows = [
    ...won(1_000, 2_000, 3_000),
    [1_500, "gone", "map 0", 0, 50],
    [2_000, "gone", "map 1", 0, 51],
    ...[3, 4, 5, 6].flatMap((task) => [
      [0, "given", `map ${task}`, 0, 60],
      [9_000, "died", `map ${task}`, 0, 60],
    ]),
    [0, "given", "map 7", 0, 61],
    [4_000, "won", "map 7", 0, 61],
  ];
  const [slowest] = stragglersOf(events(rows));
  assert.deepEqual([slowest.task, slowest.times], ["map 3", 3.6]);
  assert.deepEqual(stragglersOf([]), []);
});

test("twice as long is nothing where all is over in a moment", () => {
  assert.deepEqual(stragglersOf(events(won(10, 10, 10, 260))), []);
  assert.equal(stragglersOf(events(won(10, 10, 10, 261))).length, 1);
});

test("it is told what became of an attempt", () => {
  const rows = [
    ...won(100, 100, 100, 100, 100, 100, 100, 100, 100),
    [0, "given", "map 10", 0, 1],
    [500, "backup", "map 10", 1, 2],
    [1_000, "beaten", "map 10", 0, 1],
    [1_000, "won", "map 10", 1, 2],
    [0, "given", "map 11", 0, 3],
    [2_000, "expired", "map 11", 0, 3],
    // It lived, and was the first to be done.
    [3_000, "won", "map 11", 0, 3],
    [0, "given", "map 12", 0, 4],
    [4_000, "died", "map 12", 0, 4],
    [0, "given", "map 13", 0, 5],
    [5_000, "failed", "map 13", 0, 5],
    [0, "given", "map 14", 0, 6],
    [6_000, "won", "map 14", 0, 6],
    [60_000, "gone", "map 14", 0, 6],
    // A search for a record, which is no attempt at the task.
    [0, "probe", "map 15", 0, 7],
    [9_000, "probed", "map 15", 0, 7],
    // Its beginning is not known any more.
    [9_000, "won", "map 16", 0, 7],
    [63_000, "given", "map 17", 0, 8],
    [64_000, "phase"],
  ];
  assert.deepEqual(
    stragglersOf(events(rows)).map(({ task, attempt, backup, ms, fate }) => [
      task,
      attempt,
      backup,
      ms,
      fate,
    ]),
    [
      ["map 14", 0, false, 6_000, "lost"],
      ["map 13", 0, false, 5_000, "failed"],
      ["map 12", 0, false, 4_000, "died"],
      ["map 11", 0, false, 3_000, "won"],
      ["map 10", 0, false, 1_000, "beaten"],
      ["map 17", 0, false, 1_000, "running"],
      ["map 10", 1, true, 500, "won"],
    ],
  );
});

test("the table shows the slowest ten, and says where there are none", () => {
  const slow = Array.from({ length: 12 }, (_, at) => 1_000 + at * 10);
  const found = stragglersOf(events(won(...Array.from({ length: 20 }, () => 100), ...slow)));
  const lines = stragglerTable(found).split("\n");
  assert.equal(lines.length, 12);
  assert.match(lines[0], /^stragglers +attempt +worker +took +median +became$/);
  assert.match(lines[1], /^map 31 +1 +32 +1\.11 s +11\.1 x +won$/);
  assert.equal(lines.at(-1), "and 2 more");
  assert.match(stragglerTable([]), /^no stragglers: /);
  const [second] = stragglersOf(
    events([...won(100, 100, 100), [0, "backup", "map 3", 1, 9], [900, "died", "map 3", 1, 9]]),
  );
  assert.match(stragglerTable([second]), /\nmap 3 +2 \(backup\) +4 +0\.90 s +9\.0 x +died$/);
});

test("a phase's rate is what it read in its time", () => {
  const result = { id: 7, outputs: [{ partition: 0, size: 5 }], counters: { records: 3 } };
  const progress = {
    map: { total: 2, completed: 2, bytes: 3e6 },
    reduce: { total: 1, completed: 1, bytes: 5 },
    input: { bytes: 10e6, read: 10e6 },
  };
  const phases = ["mapping", "reducing", "publishing", "completed"];
  const times = [1_000, 3_000, 3_500, 3_600];
  const all = events(phases.map((name, at) => [times[at], "phase", "job 0", 0, 0, name]));
  const told = summary.summaryOf(result, progress, all);
  assert.deepEqual(told, {
    job: 7,
    outputs: [{ partition: 0, bytes: 5 }],
    counters: { records: 3 },
    seconds: 2.6,
    map: { tasks: 2, bytes: 10e6, seconds: 2, mbPerSecond: 5 },
    reduce: { tasks: 1, bytes: 3e6, seconds: 0.5, mbPerSecond: 6 },
    stragglers: [],
  });
  const [first, map, reduce] = summary.summaryText(told, "out").split("\n");
  assert.equal(first, "job 7: 1 output, 5 bytes in out, 2.60 s");
  assert.match(map, /^map +2 tasks +10\.0 MB +2\.00 s +5\.0 MB\/s$/);
  assert.match(reduce, /^reduce +1 task +3\.0 MB +0\.50 s +6\.0 MB\/s$/);
  // Of a long history the beginning is forgotten.
  const late = summary.summaryOf(result, progress, all.slice(1));
  assert.deepEqual([late.seconds, late.map.mbPerSecond], [undefined, undefined]);
});

const progress = (phase, read, reduced = 0) => ({
  phase,
  map: { total: 16, completed: 4, bytes: 0 },
  reduce: { total: 8, completed: reduced, bytes: 0 },
  input: { bytes: 200e6, read },
});

test("the line fits, and its bars show the input that is read and the partitions that are done", () => {
  assert.equal(bar(0.5, 8), "[####----]");
  assert.deepEqual(
    [bar(0, 2), bar(1, 2), bar(1.2, 2), bar(-1, 2)],
    ["[--]", "[##]", "[##]", "[--]"],
  );
  const picture = { ...progress("mapping", 50e6), rate: 12.34e6, workers: 2, ms: 4_400 };
  const line = meterLine(picture, 140);
  assert.equal(
    line,
    `map [${"#".repeat(6)}${"-".repeat(18)}]  4/16  reduce [${"-".repeat(24)}] 0/8   50.0 of 200.0 MB    12.3 MB/s  2 workers  4s`,
  );
  const reducing = { ...picture, ...progress("reducing", 50e6, 4), workers: 1 };
  assert.match(meterLine(reducing, 140), /^map \[#+\] .* reduce \[(#+)-+\] 4\/8 .* 1 worker /);
  for (let columns = 1; columns < 150; columns++)
    assert.ok(meterLine(picture, columns).length < columns, `${columns} columns`);
  assert.doesNotMatch(
    meterLine({ ...picture, ...progress("waiting", 0), input: { bytes: 0, read: 0 } }, 120),
    /NaN|Infinity/,
  );
});

test("it is drawn again no more than ten times a second, with the rate since it is looked at", () => {
  let now = 5_000;
  const written = [];
  const screen = { columns: 120, write: (text) => written.push(text) };
  const drawn = new Meter(
    screen,
    () => 3,
    () => now,
  );
  // What was read before, by a process that died.
  drawn.show(progress("mapping", 100e6));
  for (let tick = 1; tick <= 20; tick++) {
    now += 50;
    drawn.show(progress("mapping", 100e6 + tick * 1e6));
  }
  assert.equal(written.length, 11);
  assert.ok(written.every((text) => text.startsWith("\r\x1b[K") && !text.includes("\n")));
  assert.match(written.at(-1), / 20\.0 MB\/s {2}3 workers {2}1s$/);
  now += 10_000;
  drawn.show(progress("reducing", 200e6));
  assert.match(written.at(-1), / 20\.0 MB\/s /);
  drawn.clear();
  assert.equal(written.at(-1), "\r\x1b[K");
});
