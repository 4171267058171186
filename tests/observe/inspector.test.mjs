// The inspector where there is no page, and where nobody asked for it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { define, provide } from "quorate/inspector";

test("where there is no page, it can be imported and defined, and nothing comes of it", () => {
  assert.equal(typeof HTMLElement, "undefined");
  assert.equal(define(), undefined);
  const forget = provide({ name: "any" });
  assert.equal(forget(), undefined);
});

test("it is in no other entry, and neither is the text for Prometheus", () => {
  const dist = new URL("../../pkg/dist/", import.meta.url);
  const seen = new Set([
    "auto.js",
    "inline.js",
    "node.js",
    "worker.js",
    "worker-node.js",
    "cli.js",
  ]);
  // Those that are added here are visited, too.
  for (const name of seen) {
    const text = readFileSync(new URL(name, dist), "utf8");
    for (const [, other] of text.matchAll(/(?:from|import\(?) ?"\.\/([\w-]+\.js)"/g))
      seen.add(other);
    assert.ok(!text.includes("quorate-inspector"), name);
    assert.ok(!text.includes("# HELP"), name);
  }
  assert.ok(seen.size > 8, `${[...seen]}`);
  const own = readFileSync(new URL("inspector.js", dist), "utf8");
  assert.ok(own.includes("quorate-inspector"));
  assert.ok(readFileSync(new URL("prometheus.js", dist), "utf8").includes("# HELP"));
});
