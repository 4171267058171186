// Plants the mistakes of planted.mjs one after another, and says which tests found each:  node tests/recipes/hunt.mjs [words]

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { planted } from "./planted.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));

/** The names of the tests that fail with this mistake; one that never ends counts, too. */
export function hunt([name, , , , tests], worlds = "60") {
  const files = tests.split(" ").map((test) => `${here}${test}.test.mjs`);
  const env = { ...process.env, QUORATE_PLANTED: name, QUORATE_WORLDS: worlds };
  // Within a test, Node's runner would take the tests begun here for its own.
  delete env.NODE_TEST_CONTEXT;
  const options = { env, encoding: "utf8", timeout: 300_000 };
  const { status, stdout } = spawnSync(
    process.execPath,
    ["--test", "--test-reporter=tap", ...files],
    options,
  );
  if (status === null) return ["(it never ended)"];
  return [...stdout.matchAll(/^not ok \d+ - (.*)$/gm)].map(([, test]) => test);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const words = process.argv.slice(2);
  let missed = 0;
  for (const mistake of planted) {
    const [name] = mistake;
    if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
    const found = hunt(mistake);
    if (found.length === 0) missed++;
    console.log(`${found.length === 0 ? "MISSED" : "found "} ${name}: ${found.join(" | ")}`);
  }
  process.exitCode = missed === 0 ? 0 : 1;
}
