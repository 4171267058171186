// npm run cluster: a cluster of worker threads with a prompt, or with commands from standard input.

import { build } from "./build.mjs";
import { at, run, script } from "./lib/run.mjs";
import { setup } from "./setup.mjs";

await script(async () => {
  await setup("start");
  await build({ quiet: true });
  const { code } = await run(process.execPath, [
    at("pkg", "dist", "cli.js"),
    "cluster",
    ...process.argv.slice(2),
  ]);
  return code;
});
