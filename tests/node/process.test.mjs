// What a process sees: it ends by itself after close.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import test from "node:test";
import { scratch } from "./help.mjs";

/** Runs Node to its end. */
async function run(args, input = "", cwd = undefined) {
  const child = spawn(process.execPath, args, { cwd, timeout: 60_000, killSignal: "SIGKILL" });
  const out = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"])
    child[name].setEncoding("utf8").on("data", (text) => (out[name] += text));
  child.stdin.end(input);
  const [code, signal] = await once(child, "close");
  assert.equal(signal, null, `it did not end by itself: ${out.stdout}${out.stderr}`);
  return { code, ...out };
}

const program = (text) => ["--input-type=module", "-e", text];

test("a process ends by itself after close", async (t) => {
  const directory = JSON.stringify(scratch(t));
  const { code, stdout, stderr } = await run(
    program(`
      import { Cluster } from "quorate";
      const cluster = await Cluster.open({ name: "test", directory: ${directory} });
      cluster.addEventListener("status", () => {});
      cluster.network.delay({ ms: 20 });
      await Promise.all([1, 2, 3].map((at) => cluster.kv.put("k" + at, at)));
      await cluster.node(1).kill();
      const late = cluster.kv.put("never", 1, { timeout: 86400000 }).catch((error) => error.code);
      await cluster.close();
      console.log(await late);`),
  );
  assert.equal(stderr, "");
  assert.match(stdout, /^(CLOSED|\[object Object\])\n$/);
  assert.equal(code, 0);
});

test("a process ends by itself after an opening that failed", async () => {
  const { code, stdout } = await run(
    program(`
      import { Cluster } from "quorate";
      const storage = () => { throw new Error("no disk"); };
      await Cluster.open({ name: "test", storage }).catch((error) => console.log(error.code));`),
  );
  assert.deepEqual([code, stdout], [0, "WORKER_FAILED\n"]);
});

test("importing does nothing", async () => {
  const { code, stdout } = await run(
    program(`
      // Reading the files of modules leaves handles that close within some turns of the loop.
      const resources = async () => {
        for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
        return process.getActiveResourcesInfo().length;
      };
      const before = await resources();
      await import("quorate");
      console.log((await resources()) - before);`),
  );
  assert.deepEqual([code, stdout], [0, "0\n"]);
});

test("the package can be required", async () => {
  const text = `const { Cluster } = require("quorate"); console.log(typeof Cluster.open);`;
  const { stdout } = await new Promise((resolve, reject) =>
    execFile(process.execPath, ["--no-warnings", "-e", text], (error, stdout) =>
      error ? reject(error) : resolve({ stdout }),
    ),
  );
  assert.equal(stdout, "function\n");
});
