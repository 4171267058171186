// node tests/etcd/record.mjs: asks an etcd server the script, and writes its answers to recorded.json.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Failure, script } from "../../scripts/lib/run.mjs";
import { etcdAdapter } from "./adapters/etcd.mjs";
import { written } from "./recording.mjs";
import { perform, scenes } from "./script.mjs";
import { etcdProgram, startEtcd, versionOf } from "./server.mjs";

await script(async () => {
  const program = etcdProgram();
  if (program === undefined)
    throw new Failure("etcd is not on PATH; npm test -- --only etcd gets it");
  const server = await startEtcd(program);
  try {
    const answers = await perform(etcdAdapter(server.url));
    const path = fileURLToPath(new URL("recorded.json", import.meta.url));
    writeFileSync(path, written(versionOf(program), scenes, answers));
    const steps = scenes.reduce((sum, { steps }) => sum + steps.length, 0);
    console.log(`${steps} answers of etcd ${versionOf(program)} in ${scenes.length} scenes`);
  } finally {
    await server.close();
  }
});
