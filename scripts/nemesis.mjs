// npm run nemesis: builds the release, and lets real faults loose on real workers. `tests/nemesis/main.mjs` has the options.

import { build } from "./build.mjs";
import { at, run, script } from "./lib/run.mjs";
import { setup } from "./setup.mjs";

await script(async () => {
  await setup("test");
  await build({ quiet: true });
  const main = at("tests", "nemesis", "main.mjs");
  const { code } = await run(process.execPath, [main, ...process.argv.slice(2)]);
  return code;
});
