// npm start: sets the machine up, builds the package and the page, serves the page, and prints its address.

import { existsSync } from "node:fs";

import { build } from "./build.mjs";
import { buildSim } from "./build-sim.mjs";
import { at, Failure, script } from "./lib/run.mjs";
import { setup } from "./setup.mjs";

const page = at("www");

await script(async () => {
  await setup("start");
  await build();
  await buildSim();
  if (!existsSync(at("www", "index.html"))) throw new Failure("www/index.html is missing");
  const vite = await import("vite");
  await vite.build({ root: page, logLevel: "error" });
  // The first free port from 5173 on; nothing is opened.
  const server = await vite.preview({
    root: page,
    logLevel: "error",
    preview: { port: 5173, open: false },
  });
  console.log(`\nQuorate runs at ${server.resolvedUrls?.local[0]}\nEnd with Ctrl-C.`);
});
