// What the benchmark can be asked for.

import { parseArgs } from "node:util";
import { Failure } from "../../scripts/lib/run.mjs";

export const parts = [
  "peers",
  "core",
  "browser",
  "relaxed",
  "firefox",
  "node",
  "life",
  "opponents",
  "growth",
  "shards",
  "mapreduce",
  "page",
];

export const usage = `npm run bench -- [OPTIONS]

  --only PARTS   of ${parts.join(", ")}
  --quick        one short turn of each: the figures are rough
  --long         what takes long, too: a million keys, a lag of a million entries, 500 MiB, 1 GB of text
  --json FILE    the figures as numbers
  --help         this`;

/** The options in these arguments; a `Failure` says what is wrong with them. */
export function readOptions(args) {
  const options = {
    quick: { type: "boolean", default: false },
    long: { type: "boolean", default: false },
    only: { type: "string", default: parts.join() },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  };
  let values;
  try {
    ({ values } = parseArgs({ args, options }));
  } catch (error) {
    throw new Failure(`${error.message}\n\n${usage}`);
  }
  const only = values.only.split(",");
  const unknown = only.filter((name) => !parts.includes(name));
  if (unknown.length > 0) throw new Failure(`--only knows ${parts.join(", ")}, not ${unknown}`);
  return { ...values, only };
}
