// What is written beside the code: every error is described as it is, and every link leads somewhere. What is in blocks of code
// is run by tests/docs.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

import { files } from "../../scripts/lib/stamp.mjs";
import { root } from "./help.mjs";

const read = (path) => readFileSync(join(root, path), "utf8");
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...["docs", "tests"].flatMap((folder) =>
    files(join(root, folder), (path) => path.endsWith(".md")).map((path) => relative(root, path)),
  ),
];

/** The families of the documentation, by the names of their classes. */
const FAMILIES = {
  ArgumentError: "argument",
  CallError: "call",
  StoreError: "store",
  MembershipError: "member",
  NodeError: "node",
  StorageError: "storage",
  BackupError: "backup",
  MachineError: "machine",
  // Has a class of its own, which makes it.
  JobError: "call",
  LoadError: "load",
};

test("every code is described once, in its family, and whether it can be tried again", () => {
  const table = ["pkg/src/errors.ts", "pkg/src/shards/errors.ts", "pkg/src/mapreduce/errors.ts"]
    .map((path) => /^(?:export )?const \w*CODES = \{\n(.*?)^\}/ms.exec(read(path))[1])
    .join("");
  const codes = [...table.matchAll(/^ {2}([A-Z_]+): \["(\w+)", (true|false)\],$/gm)];
  const made = codes.map(([, code, family, retryable]) => `${code} ${family} ${retryable}`);
  assert.equal(made.length, table.trim().split("\n").length, "all rows were read");
  const sections = read("docs/errors.md").split(/^## /m).slice(1);
  const described = sections.flatMap((section) => {
    const family = FAMILIES[/^.*`(\w+)`/.exec(section)[1]];
    const hasColumn = section.includes("| code | retryable |");
    const [, ...exceptions] = /^Only (.*) retryable\.$/m.exec(section)?.[1].split("`") ?? [];
    return [...section.matchAll(/^\| `([A-Z_]+)` \| (yes|no)?/gm)].map(([, code, column]) => {
      assert.equal(column !== undefined, hasColumn, code);
      return `${code} ${family} ${hasColumn ? column === "yes" : exceptions.includes(code)}`;
    });
  });
  assert.deepEqual(described.sort(), made.sort());
});

test("every code that the core makes is one of the package's, or said in its words", () => {
  const sources = ["pkg/src/errors.ts", "pkg/src/shards/errors.ts", "pkg/src/calls.ts"];
  const known = sources.map(read).join("");
  const made = files(join(root, "crate/wasm/src"))
    .flatMap((path) => [...readFileSync(path, "utf8").matchAll(/"([A-Z]+(?:_[A-Z]+)+)"/g)])
    .map(([, code]) => code);
  assert.ok(made.length > 10);
  const strange = [...new Set(made)].filter((code) => !new RegExp(`\\b${code}\\b`).test(known));
  assert.deepEqual(
    strange.sort(),
    // A variable of the build; a platform without chance; a host that is used in the wrong order; a call that names
    // neither key nor shard, which the package does not make.
    ["CARGO_PKG_VERSION", "ENTROPY_UNAVAILABLE", "NOT_BEGUN", "SHARD_NEEDED"],
  );
});

test("every link leads to a file, and to a heading of it", () => {
  const slug = (heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
  const headings = (path) => [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, text]) => slug(text));
  let links = 0;
  for (const page of pages) {
    for (const [, link] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (link.startsWith("https://")) continue;
      links += 1;
      const [path, heading] = link.split("#");
      const target = path === "" ? page : join(dirname(page), path);
      assert.ok(existsSync(join(root, target)), `${page}: ${link}`);
      if (heading !== undefined) assert.ok(headings(target).includes(heading), `${page}: ${link}`);
    }
  }
  assert.ok(links > 30);
});

test("every command and every test that is named exists", () => {
  const { scripts } = JSON.parse(read("package.json"));
  for (const page of pages) {
    for (const [, name] of read(page).matchAll(/npm run ([\w:]+)/g))
      assert.ok(name in scripts, `${page}: npm run ${name}`);
    for (const [, name] of read(page).matchAll(/`scripts\/(\w+\.txt)`/g))
      assert.ok(existsSync(join(root, "tests/scripts", name)), `${page}: ${name}`);
    for (const [, file, name] of read(page).matchAll(
      /`(?:crate\/raft\/tests\/one_node\/)?([a-z_]+)::([a-z_]{12,})`/g,
    ))
      assert.match(read(`crate/raft/tests/one_node/${file}.rs`), new RegExp(`fn ${name}\\(`), page);
  }
});
