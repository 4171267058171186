// The packed tarball in each runtime: imported and required, with a machine of one's own, reopened, and opened twice.

import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { counter, install, run } from "../package/help.mjs";

const bin = (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url));

const runtimes = {
  "Node 20": [process.execPath],
  "Node 22": [bin("node22/bin/node")],
  "Node 24": [bin("node24/bin/node")],
  Bun: [bin(".bin/bun")],
  Deno: [bin(".bin/deno"), "run", "-A"],
};

const use = `
async function use(Cluster, machine) {
  const options = { name: "matrix", nodes: 3, directory: "state" };
  const cluster = await Cluster.open(options);
  await cluster.kv.put("greeting", { text: "hello" });
  await cluster.node(await cluster.leader()).kill();
  const hit = await cluster.kv.get("greeting");
  const second = await Cluster.open(options).catch(({ code }) => code);
  await cluster.close();
  const again = await Cluster.open(options);
  const kept = await again.kv.get("greeting");
  await again.close();
  const counter = await Cluster.open({ name: "counter", nodes: 1, machine, directory: "state-of-counter" });
  await counter.execute(2);
  const count = await counter.execute(3);
  await counter.close();
  console.log(JSON.stringify([hit.value.text, second, kept.value.text, count]));
}
`;

let consumer;
before(async () => {
  consumer = await install({
    "counter.js": counter,
    "imports.mjs": `import { Cluster } from "quorate";${use}
await use(Cluster, new URL("./counter.js", import.meta.url));`,
    "requires.cjs": `const { Cluster } = require("quorate");${use}
use(Cluster, require("node:url").pathToFileURL(__dirname + "/counter.js"));`,
  });
});
after(() => consumer.remove());

for (const [name, [program, ...args]] of Object.entries(runtimes)) {
  for (const file of ["imports.mjs", "requires.cjs"]) {
    test(`${name}: ${file}`, async (t) => {
      t.diagnostic((await run(program, ["--version"], consumer.project)).split("\n")[0]);
      for (const state of ["state", "state-of-counter"]) {
        const folder = join(consumer.project, state);
        if (existsSync(folder)) rmSync(folder, { recursive: true });
      }
      const printed = await run(program, [...args, file], consumer.project);
      assert.deepEqual(JSON.parse(printed), ["hello", "STORAGE_LOCKED", "hello", 5]);
    });
  }
}
