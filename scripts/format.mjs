// npm run format: formats all sources in place.

import { must, script } from "./lib/run.mjs";

await script(async () => {
  await must("cargo", ["fmt", "--all"]);
  await must("biome", ["check", "--write"]);
});
