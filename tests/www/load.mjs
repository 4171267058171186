// Pure modules of the page, each by itself.

import { fileURLToPath } from "node:url";
import { build } from "rolldown";

/** The module `www/src/<name>.ts`. */
export async function load(name) {
  const input = fileURLToPath(new URL(`../../www/src/${name}.ts`, import.meta.url));
  const { output } = await build({ input, write: false });
  return import(`data:text/javascript,${encodeURIComponent(output[0].code)}`);
}
