// npm run bench: builds the release and measures it.

import { build } from "./build.mjs";
import { at, run, script } from "./lib/run.mjs";
import { setup } from "./setup.mjs";

await script(async () => {
  await setup("test");
  await build({ quiet: true });
  const { code } = await run(process.execPath, [
    at("tests", "bench", "main.mjs"),
    ...process.argv.slice(2),
  ]);
  return code;
});
