// npm run labs -- <arguments>: the labs' scenarios in the simulator, optimized. Needs Rust alone.

import { run, script } from "./lib/run.mjs";

await script(async () => {
  const cargo = ["run", "--quiet", "--release", "-p", "quorate-tests", "--bin", "labs", "--"];
  const { code } = await run("cargo", [...cargo, ...process.argv.slice(2)]);
  return code;
});
