// npm run model -- <arguments>: the model checker, optimized. Needs Rust alone.

import { run, script } from "./lib/run.mjs";

await script(async () => {
  const cargo = ["run", "--quiet", "--profile", "model", "-p", "quorate-model", "--"];
  const { code } = await run("cargo", [...cargo, ...process.argv.slice(2)]);
  return code;
});
