// Help, completion and what commands there are: all from one table.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cli, run, scratch, shell } from "./help.mjs";

const docs = fileURLToPath(new URL("../../docs/cli.md", import.meta.url));
const usages = (text) => [
  ...text.matchAll(/^ {2}([a-z]+(?: [a-z]+)?)((?: \[?[A-Z.]+\]?)*)(?: {2,}|$)/gm),
];

test("help teaches, and every command is in the reference with all its options", async (t) => {
  const cwd = scratch(t);
  const { code, stdout } = await run([], { cwd });
  assert.equal(code, 0);
  assert.equal((await run(["--help"], { cwd })).stdout, stdout);
  const prompt = await run(["cluster", "--memory"], { cwd, input: "help\n" });
  const commands = new Map(
    [...usages(stdout), ...usages(prompt.stdout)].map(([, name, takes]) => [name, takes.trim()]),
  );
  for (const name of ["put", "snapshot restore", "storage check", "kill", "unwatch", "bench"])
    assert.ok(commands.has(name), name);
  assert.ok(commands.size > 35);
  const [reference] = readFileSync(docs, "utf8").split("## Coming from etcdctl");
  for (const [name, takes] of commands) {
    const about = await run(["help", ...name.split(" ")], { cwd });
    assert.match(about.stdout, new RegExp(`^usage: (quorate )?${name}`), name);
    assert.ok(reference.includes(`| \`${`${name} ${takes}`.trim()}\` |`), `${name} in docs/cli.md`);
    const row = reference.split("\n").find((line) => line.startsWith(`| \`${name}`));
    for (const [option] of about.stdout.matchAll(/^ {2}--[a-z-]+(?: [A-Z]+)?(?= {2})/gm))
      assert.ok(row.includes(`\`${option.trim()}\``), `${name} ${option} in docs/cli.md`);
  }
  for (const [first] of reference.matchAll(/^\| `([a-z]+(?: [a-z]+)?)(?=[ `])/gm)) {
    const name = first.slice(3);
    assert.ok(commands.has(name), `${name} is in docs/cli.md alone`);
  }
  assert.deepEqual(readdirSync(cwd), []);
  assert.equal((await run(["help", "nothing"], { cwd })).code, 2);
  assert.match((await run(["put", "--help"], { cwd })).stdout, /^usage: quorate put KEY \[VALUE\]/);
  assert.match((await run(["help", "lease"], { cwd })).stdout, /lease grant TIME/);
});

test("what can come next", async (t) => {
  const cwd = scratch(t);
  const next = async (...words) => {
    const { stdout } = await run(["__complete", ...words], { cwd });
    return stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => line.split("\t")[0]);
  };
  assert.deepEqual(await next("sn"), ["snapshot"]);
  assert.deepEqual(await next("snapshot", ""), ["save", "restore", "inspect"]);
  assert.deepEqual(await next("--dir", "x", "snapshot", "s"), ["save"]);
  assert.deepEqual(await next("snapshot", "save", ""), [":files"]);
  assert.deepEqual(await next("get", "k", "--dir", ""), [":dirs"]);
  assert.deepEqual(await next("get", "k", "--r"), ["--rev"]);
  assert.deepEqual(await next("get", "k", ""), []);
  assert.deepEqual(await next("get", "k", "--rev", ""), []);
  assert.deepEqual(await next("completion", ""), ["bash", "zsh", "fish"]);
  assert.ok((await next("")).includes("put"));
  assert.ok(!(await next("")).includes("kill"), "which is for the prompt");
  assert.deepEqual(await next("nothing", ""), []);
});

test("bash completes with what the program knows", async (t) => {
  const cwd = scratch(t);
  const bin = join(cwd, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "quorate"), `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`);
  chmodSync(join(bin, "quorate"), 0o755);
  writeFileSync(join(cwd, "some file"), "");
  const { stdout: script } = await run(["completion", "bash"], { cwd });
  const complete = async (...words) => {
    const program = `${script}
COMP_WORDS=(quorate "$@"); COMP_CWORD=$#; _quorate; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
    const args = ["--norc", "-c", program, "bash", ...words];
    return (await promisify(execFile)("bash", args, { cwd, env })).stdout.trimEnd().split("\n");
  };
  assert.deepEqual(await complete("lease", "re"), ["renew", "revoke"]);
  assert.deepEqual(await complete("snapshot", "inspect", "so"), ["some file"]);
  assert.deepEqual(await complete("range", "--order"), ["--order-by"]);
  for (const name of ["zsh", "fish"]) {
    const { stdout } = await run(["completion", name], { cwd });
    assert.match(stdout, /__complete/);
  }
  assert.equal((await run(["completion", "tcsh"], { cwd })).code, 2);
});

test("a benchmark tells figures, and leaves nothing behind", async (t) => {
  const cwd = scratch(t);
  const q = shell(cwd);
  const { code, objects, stderr } = await q(
    "bench --seconds 1 --clients 4 --nodes 1 --dir . --json",
  );
  assert.equal(code, 0, stderr);
  assert.deepEqual(
    objects.map(({ name }) => name),
    ["put", "get", "txn"],
  );
  for (const { calls, perSecond, p50, p95, max } of objects)
    assert.ok(calls > 0 && perSecond > 0 && p50 <= p95 && p95 <= max, JSON.stringify(objects));
  assert.deepEqual(readdirSync(cwd), []);
  assert.equal((await q("bench --clients 0")).code, 2);
  assert.match((await q("version")).stdout, /^\d+\.\d+\.\d+\n$/);
});

test("a machine is simulated, and what is wrong with it is told", async (t) => {
  const cwd = scratch(t);
  const q = shell(cwd);
  const good = `
export default class Sum {
  sum = 0;
  apply(by) { this.sum += by; return this.sum; }
  query() { return this.sum; }
  snapshot() { return this.sum; }
  restore(sum) { this.sum = sum; }
}
export const command = (random) => random.integer(9);
export const query = () => null;
`;
  writeFileSync(join(cwd, "good.mjs"), good);
  writeFileSync(join(cwd, "bad.mjs"), good.replace("+= by", "+= by + Date.now() % 2"));
  writeFileSync(join(cwd, "silent.mjs"), good.replace("const command", "const orders"));
  const { code, objects, stderr } = await q("sim good.mjs --seeds 3 --seconds 2 --json");
  assert.equal(code, 0, stderr);
  const [{ ok, worlds, verdict, hash }] = objects;
  assert.deepEqual([ok, worlds, verdict], [true, 3, "linearizable"]);
  const again = await q("sim good.mjs --seed 3 --seeds 1 --seconds 2 --json");
  assert.equal(again.objects[0].hash, hash);

  const bad = await q("sim bad.mjs --faults crashes,losses --trace failed.json");
  assert.equal(bad.code, 3);
  assert.match(bad.stderr, /diverged.*apply: Date\.now\(\)/s);
  assert.equal(JSON.parse(readFileSync(join(cwd, "failed.json"), "utf8")).version, 1);
  const unwritten = await q("sim bad.mjs --trace no/such/place.json");
  assert.equal(unwritten.code, 3);
  assert.match(unwritten.stderr, /diverged.*STORAGE_WRITE_FAILED: no\/such\/place\.json cannot/s);

  for (const wrong of [
    "sim",
    "sim silent.mjs",
    "sim good.mjs --nodes 9",
    "sim good.mjs --faults fire",
  ])
    assert.equal((await q(wrong)).code, 2, wrong);
  assert.equal((await q("sim none.mjs")).code, 1);
});

test("who has read enough can go", async (t) => {
  const cwd = scratch(t);
  const lines = Array.from({ length: 3_000 }, (_, at) => `put ${"k".repeat(200)}${at} v`).join(
    "\n",
  );
  await run(["cluster", "--dir", "d", "--nodes", "1"], { cwd, input: lines });
  const program = `'${process.execPath}' '${cli}' range --dir d | head -n 1; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = await promisify(execFile)("bash", ["-c", program], { cwd });
  assert.match(stdout, /^k+\d+ v\n0\n$/);
  assert.equal(stderr, "");
  const backup = program.replace(
    "range --dir d | head -n 1",
    "snapshot save - --dir d | head -c 7",
  );
  const half = await promisify(execFile)("bash", ["-c", backup], { cwd });
  assert.equal(half.stdout, "QUORATE1\n", "but half a backup is none");
});
