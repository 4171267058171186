// npm run check [-- <names>]: format, lints, types and documentation; nothing is run. All, or those named.

import { build } from "./build.mjs";
import { checks } from "./lib/checks.mjs";
import { script } from "./lib/run.mjs";
import { pick, runSuites } from "./lib/suites.mjs";
import { setup } from "./setup.mjs";

await script(async () => {
  const chosen = pick(checks, process.argv.slice(2));
  await setup("start");
  if (chosen.some(({ name }) => name === "types")) await build({ quiet: true });
  return (await runSuites(chosen)) === 0 ? 0 : 1;
});
