// A node's worker that notes how long it hears nothing, and when it writes a snapshot: `{ turns, snapshots }`, to whoever asks at
// the port of `workerData`. Moments in milliseconds since the epoch.

import { openSync, readSync } from "node:fs";
import { PerformanceObserver, performance } from "node:perf_hooks";
import { workerData } from "node:worker_threads";

/** The timer's, in milliseconds. */
const PERIOD = 1;
/** Shorter turns are of no interest. */
const NOTED = 4;
const port = workerData;
const noted = { turns: [], snapshots: [] };

// What the system knows of the thread: how long it ran, and how long it waited for a processor. What others take of that is no turn of
// ours. Where there is no such file, the clock alone tells.
const schedule = open("/proc/thread-self/schedstat");
const text = Buffer.alloc(64);
let before = look();
setInterval(() => {
  const after = look();
  const waited = after.now - before.now - PERIOD;
  const [ran, queued] = [after.ran - before.ran, after.queued - before.queued];
  if (waited >= NOTED)
    noted.turns.push({
      end: performance.timeOrigin + after.now,
      waited,
      ran,
      own: waited - queued,
    });
  before = after;
}, PERIOD);

new PerformanceObserver((list) => {
  for (const { name, startTime, duration } of list.getEntries()) {
    if (!name.startsWith("quorate snapshot")) continue;
    const start = performance.timeOrigin + startTime;
    noted.snapshots.push({ start, end: start + duration });
  }
}).observe({ entryTypes: ["measure"] });

port.on("message", () => {
  port.postMessage(noted);
  for (const list of Object.values(noted)) list.length = 0;
});

await import("quorate/worker");

function open(path) {
  try {
    return openSync(path);
  } catch {
    return undefined;
  }
}

function look() {
  const now = performance.now();
  if (schedule === undefined) return { now, ran: Number.NaN, queued: 0 };
  const length = readSync(schedule, text, 0, text.length, 0);
  const [ran, queued] = text.toString("latin1", 0, length).split(" ").map(Number);
  return { now, ran: ran / 1e6, queued: queued / 1e6 };
}
