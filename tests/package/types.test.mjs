// A strict TypeScript project that uses the installed package, with nothing but the standard libraries.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { install, root, run } from "./help.mjs";

const good = `
import { ArgumentError, Cluster, QuorateError, type ErrorCode } from "quorate";
import { Cluster as Inline } from "quorate/inline";

export async function use(signal: AbortSignal): Promise<string | undefined> {
  await using cluster = await Cluster.open({ name: "shop", nodes: 3, signal });
  const revision: { modRevision: number } | null = await cluster.kv.get("cart");
  cluster.addEventListener("leaderchange", (event) => { const leader: number | null = event.detail.leader; void leader; });
  await cluster.node(1).kill();
  cluster.network.partition([1], [2, 3]);
  try {
    await cluster.kv.as("bytes").put("key", new Uint8Array(1), { timeout: 10 });
  } catch (error) {
    if (error instanceof ArgumentError) return error.message;
    if (error instanceof QuorateError) { const code: ErrorCode = error.code; return code; }
  }
  const other: typeof Cluster = Inline;
  void other;
  return revision === null ? undefined : "hit";
}
`;

/** Each line is wrong in one way. */
const wrong = [
  `import { Cluster } from "quorate"; Cluster.open({});`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a", storage: "floppy" });`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a", colour: "red" });`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a" }).then((c) => c.kv.put("k", () => 1));`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a" }).then((c) => c.addEventListener("leaderchanged", () => {}));`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a" }).then((c) => c.kv.as("bytes").put("k", "text"));`,
  `import { secret } from "quorate";`,
];

const config = (module, moduleResolution, files) =>
  JSON.stringify({
    compilerOptions: {
      target: "es2022",
      lib: ["es2022", "esnext.disposable", "dom"],
      module,
      moduleResolution,
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
    },
    files,
  });

let consumer;
before(async () => {
  consumer = await install({
    "good.ts": good,
    "nodenext.json": config("nodenext", "nodenext", ["good.ts"]),
    "bundler.json": config("esnext", "bundler", ["good.ts"]),
    "strict.ts": readFileSync(join(root, "tests", "package", "strict.ts"), "utf8"),
    "strict.json": config("nodenext", "nodenext", ["strict.ts"]),
    ...Object.fromEntries(wrong.map((text, place) => [`wrong-${place}.ts`, text])),
    ...Object.fromEntries(
      wrong.map((_, place) => [
        `wrong-${place}.json`,
        config("nodenext", "nodenext", [`wrong-${place}.ts`]),
      ]),
    ),
  });
});
after(() => consumer.remove());

const tsc = (project) =>
  run(join(root, "node_modules", ".bin", "tsc"), ["-p", project], consumer.project);

for (const resolution of ["nodenext", "bundler"]) {
  test(`a strict project compiles with module resolution ${resolution}`, () =>
    tsc(`${resolution}.json`));
}

test("what the store takes compiles, and each mistake that is marked is one", () =>
  tsc("strict.json"));

for (const [place, text] of wrong.entries()) {
  test(`refused: ${text}`, async () => {
    await assert.rejects(
      tsc(`wrong-${place}.json`),
      new RegExp(`wrong-${place}\\.ts\\(1,\\d+\\): error TS`),
    );
  });
}
