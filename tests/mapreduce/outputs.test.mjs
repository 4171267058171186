// Results in a directory: it appears with all of them, or not at all.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

import { bundle } from "../bundle.mjs";

const { publish, store, errors, codes } = await bundle({
  store: "mapreduce/outputs.ts",
  publish: "mapreduce/outputs-node.ts",
  errors: "errors.ts",
  codes: "mapreduce/errors.ts",
});
errors.addCodes(codes.JOB_CODES);

/** A directory of this test's own, and scratch storage with the results of a job 1. */
function scratch(t, results) {
  const home = mkdtempSync(join(tmpdir(), "quorate-"));
  t.after(() => rmSync(home, { recursive: true }));
  mkdirSync(join(home, "scratch", "1"), { recursive: true });
  for (const [partition, text] of results.entries())
    writeFileSync(join(home, "scratch", "1", `r${partition}.0`), text);
  mkdirSync(join(home, "results"));
  const to = (name, winners = results.length, signal = new AbortController().signal) =>
    publish.publishToDirectory(
      `${home}/results/${name}`,
      "jobs",
      1,
      Array.from({ length: winners }, () => ({ attempt: 0, size: 1 })),
      join(home, "scratch"),
      signal,
    );
  return { to, path: (...names) => join(home, "results", ...names) };
}

test("a directory's name may end with a slash", async (t) => {
  const { to, path } = scratch(t, ["a", "b"]);
  await to("deep/out/");
  assert.deepEqual(readdirSync(path("deep")), ["out"]);
  assert.deepEqual(readdirSync(path("deep", "out")), ["_SUCCESS", "part-00000", "part-00001"]);
  assert.equal(readFileSync(path("deep", "out", "part-00001"), "utf8"), "b");
  // Another attempt finds it done.
  await to("deep/out/");
});

test("what cannot be published leaves nothing", async (t) => {
  const { to, path } = scratch(t, ["a"]);
  await assert.rejects(to("out", 2), { code: "OUTPUT_FAILED" });
  assert.deepEqual(readdirSync(path()), []);
  await assert.rejects(to("out", 1, AbortSignal.abort()), { code: "OUTPUT_FAILED" });
  assert.deepEqual(readdirSync(path()), []);
});

test("keys of a store are not said to be there once it is stopped", async () => {
  const write = async (signal) => {
    const asked = [];
    const kv = {
      get: async () => null,
      txn: async (txn) => {
        asked.push(...txn.do.map(({ put }) => put));
        return { succeeded: true };
      },
      deleteRange: async ({ prefix }) => asked.push(`no ${prefix}`),
    };
    // A key twice is one in a transaction.
    const read = () => new Blob(["a\t1\na\t2\n"]).stream();
    const winners = [{ attempt: 0, size: 4 }];
    const target = { kv, prefix: "out" };
    await store.publishToStore(target, "jobs", 1, winners, read, signal).catch(() => {});
    return asked;
  };
  assert.deepEqual(await write(new AbortController().signal), ["outjobs-1/a", "out"]);
  assert.deepEqual(await write(AbortSignal.abort()), ["outjobs-1/a", "no outjobs-1/"]);
});
