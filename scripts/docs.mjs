// npm run docs [-- --serve]: builds the documentation into target/site, and serves it.

import { parseArgs } from "node:util";

import { build } from "./build.mjs";
import { at, script } from "./lib/run.mjs";
import { setup } from "./setup.mjs";

await script(async () => {
  const { values } = parseArgs({ options: { serve: { type: "boolean", default: false } } });
  await setup("start");
  // The reference is made of the declarations of the package.
  await build({ quiet: true });
  const { buildSite } = await import("../site/build.mjs");
  const folder = at("target", "site");
  const pages = await buildSite(folder);
  console.log(`docs: ${pages.length} pages in ${folder}`);
  if (!values.serve) return;
  const { serveSite } = await import("../site/serve.mjs");
  const { url } = await serveSite(folder, { port: 5180 });
  console.log(`\nThe documentation is at ${url}\nEnd with Ctrl-C.`);
});
