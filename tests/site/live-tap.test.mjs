// The tap on a node's worker, with a made-up node: what goes over a port is counted, and a timer is known.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { MessageChannel } from "node:worker_threads";
import { build } from "rolldown";

const input = fileURLToPath(new URL("../../www/src/live/tap.ts", import.meta.url));
const [PRE_VOTE, HEARTBEAT, APPEND] = [1, 11, 8];
/** A frame of messages from one node to another, each of a tag and what it says. */
const frame = (from, to, ...bodies) =>
  Uint8Array.from(
    [
      2,
      1,
      Array(16).fill(0),
      0,
      bodies.length,
      bodies.map(([tag, ...rest]) => [tag, from, to, 3, rest]),
    ].flat(9),
  ).buffer;

const ports = [];
const channel = () => {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  return [port1, port2];
};
let reports;
let hear;
before(async () => {
  const { output } = await build({ input, write: false });
  const { tap } = await import(`data:text/javascript,${encodeURIComponent(output[0].code)}`);
  let owner;
  globalThis.addEventListener = (_, listener) => {
    owner = (data) => listener({ data, stopImmediatePropagation() {} });
  };
  tap();
  const [mine, its] = channel();
  reports = [];
  mine.on("message", (report) => {
    reports.push(report);
    hear?.();
  });
  owner({ type: "start", node: 2 });
  owner({ type: "tap", port: its });
});
after(() => {
  for (const port of ports) port.close();
});
const told = async (enough) => {
  while (!enough()) await new Promise((resolve) => (hear = resolve));
};
const sum = (tag) =>
  reports
    .flatMap(({ counts }) => counts)
    .reduce((all, [of, count]) => all + (of === tag ? count : 0), 0);

test("every message of every frame is counted, and few of them are told of", async () => {
  const [node] = channel();
  for (let sent = 0; sent < 100; sent++)
    node.postMessage(frame(2, 1, [HEARTBEAT, 1, 1], [HEARTBEAT, 1, 1], [APPEND, 1, 1, 0, 0]));
  await told(() => sum(HEARTBEAT) === 200);
  assert.equal(sum(APPEND), 100);
  assert.equal(reports.length, 1);
  assert.equal(reports[0].node, 2);
  assert.equal(reports[0].sightings.length, 5);
  // Then so many are left out that the same number does not come at once.
  for (let sent = 0; sent < 100; sent++) node.postMessage(frame(2, 1, [HEARTBEAT, 1, 1]));
  await told(() => sum(HEARTBEAT) === 300);
  assert.equal(reports[1].sightings.length, 1, "one in sixty, after three hundred");
});

test("a node that heard its leader sets its timer anew at once, and the deadline is told", async () => {
  const [leader, node] = channel();
  let fired = 0;
  const set = (ms) =>
    setTimeout(() => {
      fired += 1;
      if (fired === 1) set(380);
    }, ms);
  node.onmessage = () => set(599);
  const before = performance.timeOrigin + performance.now();
  leader.postMessage(frame(1, 2, [HEARTBEAT, 1, 1]));
  await told(() => reports.at(-1).timer !== null && fired === 1);
  const { from, to } = reports.findLast(({ timer }) => timer !== null).timer;
  assert.ok(from >= before);
  // The one that it set at first would have been 599 ms after that.
  assert.ok(to - from >= 380 && to - from < 599, `${to - from}`);
});

test("a node that is held up has the deadline that it meant", async () => {
  const [leader, node] = channel();
  const now = () => performance.timeOrigin + performance.now();
  let deadline = 0;
  let steps = 0;
  /** As the core does: the time of a step is the one that it reads first. */
  const step = () => {
    spin(60);
    const began = now();
    steps += 1;
    if (steps === 1) deadline = began + 450;
    spin(60);
    // Whoever measures looks at the clock, too.
    now();
    if (steps <= 2) setTimeout(step, deadline - began);
  };
  node.onmessage = step;
  const earlier = reports.length;
  leader.postMessage(frame(1, 2, [HEARTBEAT, 1, 1]));
  await told(() => reports.length > earlier && steps === 2);
  const { from, to } = reports.at(-1).timer;
  assert.ok(Math.abs(to - deadline) < 1, `${to - deadline}`);
  assert.ok(Math.abs(to - from - 450) < 1, `${to - from}`);
});

test("a node that is held up before it asks for votes waits for as long as it meant", async () => {
  const [, node] = channel();
  const earlier = reports.length;
  let deadline = 0;
  const [other, mine] = channel();
  mine.onmessage = () => {
    const began = performance.timeOrigin + performance.now();
    deadline = began + 310;
    spin(60);
    node.postMessage(frame(2, 1, [PRE_VOTE, 1, 1]));
    setTimeout(() => {}, 310);
  };
  other.postMessage(0);
  await told(() => reports.length > earlier);
  const { to } = reports.at(-1).timer;
  assert.ok(Math.abs(to - deadline) < 1, `${to - deadline}`);
});

/** Keeps the thread from everything else for a while. */
function spin(ms) {
  const end = Date.now() + ms;
  while (Date.now() < end);
}
