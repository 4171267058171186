// A cluster's life on Node, in a process of its own:  node process.mjs DIRECTORY STEP [WORDS], with the words as JSON.

import { Cluster } from "quorate";
import * as steps from "./steps.mjs";

const [directory, step, ...words] = process.argv.slice(2);
const open = () => Cluster.open({ name: "bench", directory });

/** Processor time of this process with all its threads over `ms` at rest, as part of one core. */
async function rest(settleMs, ms) {
  const cluster = await steps.rest(open, settleMs);
  const began = performance.now();
  const before = process.cpuUsage();
  await steps.sleep(ms);
  const { user, system } = process.cpuUsage(before);
  const part = (user + system) / 1000 / (performance.now() - began);
  await cluster.close();
  return part;
}

const perform = {
  start: (origin) => steps.start(open, origin),
  failOver: (kind, times) => steps.failOver(open, kind, times),
  rest,
};
console.log(JSON.stringify(await perform[step](...words.map((word) => JSON.parse(word)))));
