// npm run bench: builds the release and measures it.

import { readOptions, usage } from "../tests/bench/options.mjs";
import { build } from "./build.mjs";
import { at, Failure, run, script } from "./lib/run.mjs";
import { setup } from "./setup.mjs";

await script(async () => {
  if (readOptions(process.argv.slice(2)).help) {
    console.log(usage);
    return 0;
  }
  try {
    await setup("test");
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`${error.message}\nWhat needs it is not measured.`);
  }
  await build({ quiet: true });
  const { code } = await run(process.execPath, [
    at("tests", "bench", "main.mjs"),
    ...process.argv.slice(2),
  ]);
  return code;
});
