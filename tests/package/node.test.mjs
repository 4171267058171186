// The installed package on Node: imported, required, from the command line.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { install, run } from "./help.mjs";

const use = `
async function use(Cluster, name) {
  const cluster = await Cluster.open({ name, nodes: 3, directory: "state-" + name });
  await cluster.kv.put("greeting", { text: "hello" });
  await cluster.node(await cluster.leader()).kill();
  const hit = await cluster.kv.get("greeting");
  await cluster.close();
  console.log(hit.value.text);
}
`;

let consumer;
before(async () => {
  consumer = await install({
    "imports.mjs": `import { Cluster } from "quorate";\n${use}\nawait use(Cluster, "imported");\n`,
    "requires.cjs": `const { Cluster } = require("quorate");\n${use}\nuse(Cluster, "required");\n`,
    "inline.mjs": `import { Cluster } from "quorate/inline";\n${use}\nawait use(Cluster, "inline");\n`,
    "idle.mjs": `await import("quorate");\nconsole.log(process.getActiveResourcesInfo().join());\n`,
  });
});
after(() => consumer.remove());

for (const file of ["imports.mjs", "requires.cjs", "inline.mjs"]) {
  test(`${file} elects, writes, loses its leader, reads, and ends by itself`, async () => {
    assert.equal(await run(process.execPath, ["--no-warnings", file], consumer.project), "hello\n");
  });
}

test("importing starts nothing", async () => {
  const resources = await run(process.execPath, ["idle.mjs"], consumer.project);
  assert.doesNotMatch(resources, /Worker|MessagePort|Timeout|FSReq/);
});

test("the command takes commands from standard input", async () => {
  const commands = "put fruit apple\nget fruit\n";
  const printed = await run(
    "node_modules/.bin/quorate",
    ["cluster", "--memory"],
    consumer.project,
    commands,
  );
  assert.match(printed, /apple/);
});
