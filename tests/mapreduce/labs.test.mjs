// The scenarios of the labs on worker threads.

import { after, before, test } from "node:test";
import { MapReduceCluster } from "quorate/mapreduce";
import { labs } from "./labs.mjs";

let cluster;
before(async () => {
  cluster = await MapReduceCluster.open({ name: "labs", storage: "memory", workers: 3 });
});
after(() => cluster?.close());

for (const [name, lab] of Object.entries(labs))
  test(name, () => lab(cluster, (job) => new URL(`./jobs/${job}.mjs`, import.meta.url)));
