// process.mjs INPUT OUTPUT FOLDER WORKERS JOB: a cluster that counts words; prints what it took, without the time to open it.

import { MapReduceCluster } from "quorate/mapreduce";

const [input, output, directory, workers, name] = process.argv.slice(2);
const began = performance.now();
const cluster = await MapReduceCluster.open({
  name: "bench",
  directory,
  workers: Number(workers),
});
const openMs = performance.now() - began;
const used = process.cpuUsage();
const started = performance.now();
const running = await cluster.mapReduce({
  input,
  output,
  job: name === "wordcount" ? name : new URL(name),
});
await running.result();
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(used);
await cluster.close();
console.log(JSON.stringify({ openMs, seconds, cpuSeconds: (user + system) / 1e6 }));
