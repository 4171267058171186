// Every block of code in README.md and docs/ says what becomes of it, and does what it says: see blocks.mjs.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";

import { files } from "../../scripts/lib/stamp.mjs";
import { install, root, run } from "../package/help.mjs";
import { blocks, blocksOf } from "./blocks.mjs";
import { companions, compiled, programs } from "./programs.mjs";

const where = ({ page, line }) => `${page}:${line}`;
const of = (language, role) =>
  blocks.filter((block) => block.language === language && block.role === role);

let consumer;
before(async () => {
  consumer = await install({
    ...companions(),
    ...Object.fromEntries(programs.map(({ name, source }) => [name, source])),
    "tsconfig.json": tsconfig(programs.map(({ name }) => name).filter((name) => /ts$/.test(name))),
  });
});
after(() => consumer.remove());

/** A folder of one block's own, from which the package is found. */
function folder(name) {
  const path = join(consumer.project, name.replace(/\W/g, "-"));
  mkdirSync(path);
  return path;
}

test("every block is of a known kind", () => {
  const flawed = blocks.filter(({ flaw }) => flaw !== undefined);
  assert.deepEqual(
    flawed.map((block) => `${where(block)}: ${block.flaw}`),
    [],
  );
  assert.ok(blocks.length > 40);
});

test("a block without a kind, or with an exception and no reason, is found", () => {
  const flaw = (info) => blocksOf("page", `\`\`\`${info}\ncode\n\`\`\`\n`)[0].flaw;
  assert.match(flaw(""), /is none of/);
  assert.match(flaw("python"), /is none of/);
  assert.match(flaw("js skip"), /not "skip"/);
  assert.match(flaw("ts types"), /lacks its reason/);
  assert.equal(flaw("ts types the ports are made elsewhere"), undefined);
  assert.equal(flaw("js"), undefined);
});

for (const { name, block, place, runs } of programs.filter((program) => program.runs)) {
  test(`${where(block)} runs`, async () => {
    assert.ok(runs);
    const path = join(consumer.project, name);
    const ready = path.replace(/\.\w+$/, ".run.mjs");
    writeFileSync(ready, await compiled(path));
    // A program may be tests itself, which are not to report to this one.
    await run("env", ["-u", "NODE_TEST_CONTEXT", "node", ready, `${place}`], folder(name));
  });
}

test("what is TypeScript is so in strict projects", () =>
  run(join(root, "node_modules", ".bin", "tsc"), ["-p", "."], consumer.project));

for (const block of of("sh", "run")) {
  test(`${where(block)} runs`, async () => {
    const path = join(consumer.project, "node_modules", ".bin");
    const code = `export PATH="${path}${delimiter}$PATH"\n${block.code}`;
    await run("bash", ["-euo", "pipefail", "-c", code], folder(where(block)), "");
  });
}

for (const block of of("sh", "session")) {
  test(`${where(block)}: what is typed is understood`, async () => {
    const [command, ...lines] = block.code.trim().split("\n");
    assert.equal(command, "npm run cluster");
    const typed = lines.map((line) => /^> (.*)$/.exec(line)[1]);
    const cli = join(consumer.installed, "pkg", "dist", "cli.js");
    await run("node", [cli, "cluster"], folder(where(block)), `${typed.join("\n")}\n`);
  });
}

test("commands of a checkout name what is there", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const suites = readFileSync(join(root, "scripts", "test.mjs"), "utf8");
  const commands = of("sh", "checkout").flatMap(({ code, ...block }) =>
    code
      .trim()
      .split("\n")
      .map((line) => [where(block), line.replace(/\s+#.*$/, "")]),
  );
  assert.ok(commands.length > 20);
  for (const [place, command] of commands) {
    const [, tool, rest] = /^(?:[A-Z_]+=\S+ )*(\w+)(?: (.*))?$/.exec(command);
    const words = rest?.split(" ") ?? [];
    const about = `${place}: ${command}`;
    if (tool === "npm") {
      const [name, ...options] = words[0] === "run" ? words.slice(1) : words;
      assert.ok(name in scripts, about);
      const only = options.indexOf("--only");
      if (name === "test" && only !== -1)
        for (const suite of options[only + 1].split(","))
          assert.match(suites, new RegExp(`(name: |nodeSuite\\(\\s*)"${suite}"`), about);
    } else if (tool === "node") assert.ok(existsSync(join(root, words[0])), about);
    else assert.equal(tool, "cargo", about);
  }
});

test("JSON parses", () => {
  for (const block of of("json", "run"))
    assert.doesNotThrow(() => JSON.parse(block.code), where(block));
});

test("what sketches in Rust name is in the crates", () => {
  const sources = files(join(root, "crate"), (path) => path.endsWith(".rs"))
    .map((path) => readFileSync(path, "utf8"))
    .join("\n");
  let names = 0;
  for (const block of of("rust", "run")) {
    for (const [, kind, name] of block.code.matchAll(/\b(struct|enum|trait|fn) (\w+)/g)) {
      names += 1;
      assert.match(
        sources,
        new RegExp(`\\b${kind} ${name}\\b`),
        `${where(block)}: ${kind} ${name}`,
      );
    }
  }
  assert.ok(names > 30);
});

/** Strict, with declarations alone as the truth about the package. */
function tsconfig(names) {
  const compilerOptions = {
    target: "es2022",
    lib: ["es2023", "esnext.disposable", "dom", "dom.iterable", "dom.asynciterable"],
    module: "nodenext",
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
    strict: true,
    exactOptionalPropertyTypes: true,
    allowJs: true,
    checkJs: false,
    noEmit: true,
  };
  return JSON.stringify({ compilerOptions, files: names });
}
