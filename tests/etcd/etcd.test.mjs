// Quorate answers as etcd does, in Node, Chromium, Firefox and WebKit: to each step of the script what a real etcd answered, field by
// field, but for the differences that are listed, each with its reason, in docs/coming-from-etcd.md.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { at } from "../../scripts/lib/run.mjs";
import { etcdAdapter } from "./adapters/etcd.mjs";
import { canonical, compare } from "./compare.mjs";
import { DIFFERENCES, ERRORS } from "./differences.mjs";
import { inChromium, inFirefox, inWebkit, node } from "./hosts.mjs";
import { read } from "./recording.mjs";
import { perform, scenes } from "./script.mjs";
import { etcdProgram, startEtcd, versionOf } from "./server.mjs";

const recorded = JSON.parse(readFileSync(new URL("recorded.json", import.meta.url), "utf8"));
const { etcd, answers: theirs } = read(recorded, scenes);
const steps = scenes.flatMap(({ steps }) => steps);

test("the script has 300 operations and more, and each scene a name of its own", () => {
  assert.ok(steps.length >= 300, `${steps.length}`);
  assert.equal(new Set(scenes.map(({ name }) => name)).size, scenes.length);
});

test("the recording is what etcd answers", async (t) => {
  const program = etcdProgram();
  if (program === undefined) {
    t.diagnostic(`there is no etcd here: the recording of etcd ${etcd} stands as it is`);
    return;
  }
  const version = versionOf(program);
  const server = await startEtcd(program);
  t.after(() => server.close());
  const answers = await perform(etcdAdapter(server.url));
  const changed = scenes.flatMap(({ name, steps }) =>
    steps.flatMap((step, at) => {
      const [now, then] = [answers[name][at], theirs[name][at]];
      if (canonical(now) === canonical(then)) return [];
      return [
        `${name}: ${JSON.stringify(step)}\n  then ${canonical(then)}\n  now  ${canonical(now)}`,
      ];
    }),
  );
  t.diagnostic(`${steps.length} answers of etcd ${version} compared with those of etcd ${etcd}`);
  if (version === etcd) assert.deepEqual(changed, []);
  // Another version may answer otherwise; that is worth a look, and no fault of ours.
  else for (const one of changed) t.diagnostic(one);
});

for (const [name, host] of Object.entries({
  Node: node,
  Chromium: inChromium,
  Firefox: inFirefox,
  WebKit: inWebkit,
})) {
  test(`${name} answers as etcd does`, async (t) => {
    const { complaints, alike, otherwise, ways } = compare(scenes, theirs, await host());
    t.diagnostic(
      `compared with etcd ${etcd}: ${alike} answers equal, ${otherwise} differ in ${ways} ways that are known`,
    );
    assert.equal(complaints.length, 0, `\n${complaints.join("\n")}`);
  });
}

test("the page lists each difference and each error, and no other", () => {
  const page = readFileSync(at("docs", "coming-from-etcd.md"), "utf8");
  const listed = (heading) => {
    const [, section] = page.split(`## ${heading}\n`);
    assert.notEqual(section, undefined, heading);
    return [...section.split("\n## ")[0].matchAll(/^\| `([\w-]+)` \|/gm)].map(([, name]) => name);
  };
  assert.deepEqual(listed("Answers that differ").sort(), Object.keys(DIFFERENCES).sort());
  assert.deepEqual(listed("Errors").sort(), Object.keys(ERRORS).sort());
});
