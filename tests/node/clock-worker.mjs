// The worker of a node on Node, whose clocks fail as soon as somebody says so.

import { workerData } from "node:worker_threads";

let fails = false;
const channel = new BroadcastChannel(workerData);
channel.unref();
channel.onmessage = ({ data }) => {
  fails = data;
};
for (const clock of [performance, Date]) {
  const now = clock.now.bind(clock);
  let calls = 0;
  clock.now = () => {
    calls += 1;
    // Each time in another way, and sometimes in none.
    if (fails && calls % 7 === 0) throw new Error("no clock");
    return fails && calls % 5 === 0 ? [Number.NaN, Number.POSITIVE_INFINITY, -1][calls % 3] : now();
  };
}
await import("quorate/worker");
