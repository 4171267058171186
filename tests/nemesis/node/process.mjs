// The arena in a process of its own, so that it can be stopped as a whole: its parent asks by messages.

import { rm } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { Cluster } from "quorate";
import { arenaOf } from "../run.mjs";

const [directory] = process.argv.slice(2);

const host = {
  open: (options) => Cluster.open({ ...options, directory }),
  createWorker: () => new Worker(new URL("./worker.mjs", import.meta.url), { execArgv: [] }),
  evict: (_cluster, node) => rm(`${directory}/node-${node}`, { recursive: true, force: true }),
};

const arena = arenaOf(host);
process.on("message", ({ ask, method, argument }) => {
  process.send({ ask, value: arena[method](argument) });
});
process.on("disconnect", () => process.exit(1));
