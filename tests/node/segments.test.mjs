/** What stays while everything around it is replaced: it goes from segment to segment. */

import assert from "node:assert/strict";
import { constants, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { bundle } from "../bundle.mjs";
import { scratch } from "./help.mjs";

const { directory } = await bundle({ directory: "storage/directory.ts" });
const glue = await import("../../pkg/wasm/quorate_wasm.js");
glue.initSync({ module: readFileSync(new URL("../../pkg/dist/quorate.wasm", import.meta.url)) });

/** Segments of a few rounds each. */
const limits = { segmentBytes: 2_000, carryBytes: 1_000, removals: 4 };
const open = (path) => directory.directoryStorage(path, glue, limits);
const bytes = (length, byte) => new Uint8Array(length).fill(byte);
const files = (path) =>
  readdirSync(path)
    .filter((name) => name.endsWith(".qr"))
    .sort();

/** Replaces one record so many times. */
async function replace(storage, times) {
  for (let time = 0; time < times; time++) await storage.write([], [["hot", bytes(200, time)]]);
}

test("what stays is carried over, and nothing else", async (t) => {
  const path = scratch(t);
  let storage = open(path);
  await storage.load();
  await storage.write(
    [],
    [
      ["a", bytes(100, 1)],
      ["gone", bytes(100, 2)],
    ],
  );
  await storage.write(
    [["gone", "gonf"]],
    [
      ["b", bytes(100, 3)],
      ["c", bytes(100, 4)],
    ],
  );
  await replace(storage, 60);
  assert.doesNotMatch(files(path)[0], /segment-0*1\.qr$/, "the first is gone");
  assert.ok(files(path).length < 6, files(path).join());
  await storage.close();

  // What a former run wrote, of which it is not known where it lies.
  for (let run = 0; run < 3; run++) {
    storage = open(path);
    const records = new Map(await storage.load());
    assert.deepEqual([...records.keys()].sort(), ["a", "b", "c", "hot"]);
    assert.deepEqual(records.get("b"), bytes(100, 3));
    await replace(storage, 25);
    await storage.close();
  }
});

test("what is to be carried over and was altered is damage, and not left behind", async (t) => {
  const path = scratch(t);
  const storage = open(path);
  await storage.load();
  await storage.write([], [["a", bytes(100, 77)]]);
  await replace(storage, 30);
  // A segment begins with what was carried over.
  const file = join(path, files(path).at(-1));
  const altered = readFileSync(file);
  altered[100] ^= 1;
  writeFileSync(file, altered);
  await assert.rejects(replace(storage, 60), { code: "STORAGE_CORRUPT" });
  await storage.close();
});

test("on Linux the segment that is written to is one whose writes are durable when they are done", async (t) => {
  const path = scratch(t);
  const storage = open(path);
  await storage.load();
  /** The flags of every file below `path` that this process has open. */
  const flags = () =>
    readdirSync("/proc/self/fd").flatMap((fd) => {
      try {
        if (!readlinkSync(`/proc/self/fd/${fd}`).startsWith(path)) return [];
      } catch {
        return []; // It was closed meanwhile.
      }
      const [, octal] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"));
      return [Number.parseInt(octal, 8)];
    });
  for (let segment = 0; segment < 3; segment++) {
    const opened = flags();
    assert.equal(opened.length, 1);
    assert.equal(opened[0] & constants.O_DSYNC, constants.O_DSYNC);
    await replace(storage, 10);
  }
  assert.doesNotMatch(files(path).at(-1), /segment-0*1\.qr$/, "there were several");
  await storage.close();
});
