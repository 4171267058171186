// The worker of a node on Node, which tells every measure of its timeline, and how many the timeline keeps.

import { PerformanceObserver } from "node:perf_hooks";
import { workerData } from "node:worker_threads";

const channel = new BroadcastChannel(workerData);
channel.unref();
new PerformanceObserver((list) => {
  const measures = list.getEntries().map(({ name, startTime, duration, detail }) => ({
    ...{ name, startTime, duration, detail },
  }));
  channel.postMessage({ measures, kept: performance.getEntriesByType("measure").length });
}).observe({ entryTypes: ["measure"] });
await import("quorate/worker");
