// What an entry costs the core, without a clock: never more than now, or a little.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { before, test } from "node:test";

import { answer, logs, newLog } from "../../scripts/lib/run.mjs";
import { buildStore, buildWork, callgrind, elections, figures, instructions } from "./count.mjs";

let driver, store;
before(async () => {
  mkdirSync(logs, { recursive: true });
  newLog("work.log");
  newLog("callgrind.log");
  driver = await buildWork("work.log");
  store = await buildStore("work.log");
});

const works = [
  { work: { nodes: 3, window: 1, size: 16 }, limits: [17_300, 6, 205.5] },
  { work: { nodes: 3, window: 256, size: 16 }, limits: [2_120, 0.024, 35] },
  { work: { nodes: 7, window: 256, size: 16 }, limits: [4_500, 0.08, 105] },
];
for (const { work, limits } of works) {
  const { nodes, window } = work;
  test(`${nodes} nodes, ${window} in flight: instructions, messages and bytes of an entry`, async () => {
    const { msgs_per_entry, bytes_per_entry, lat_leader, lat_all } = figures(driver, work);
    const counted = [await instructions(driver, work), msgs_per_entry, bytes_per_entry];
    for (const [at, what] of ["instructions", "messages", "bytes"].entries())
      assert.ok(counted[at] <= limits[at], `${counted[at]} ${what}, at most ${limits[at]}`);
    assert.deepEqual([lat_leader, lat_all], [2, 3], "hops until the leader, and all, have applied");
  });
}

test("a wider window costs no more", async () => {
  const at = (window) => instructions(driver, { nodes: 3, window, size: 16 });
  const [narrow, wide] = [await at(64), await at(1024)];
  assert.ok(wide <= narrow, `${wide} at 1024 in flight, ${narrow} at 64`);
});

test("a longer log costs no more, nor do larger entries but for their bytes", async () => {
  const work = { nodes: 3, window: 256, size: 16 };
  const early = await instructions(driver, work, [20_000, 30_000]);
  const late = await instructions(driver, work, [100_000, 110_000]);
  assert.ok(late <= 1.03 * early, `${late} after 100,000 entries, ${early} after 20,000`);
  const large = await instructions(driver, { ...work, size: 4096 });
  const perByte = (large - early) / 4080;
  assert.ok(perByte <= 0.5, `${perByte} instructions a byte`);
});

test("an election takes no more than a ballot and its pre-vote, and seldom a second one", () => {
  const { ticks, messages, most } = elections(driver, 3);
  assert.ok(messages <= 14, `${messages} messages`);
  assert.ok(most <= 22, `at most ${most} messages`);
  // The earliest of three waits 12.5 ticks on average, and half a one until the next.
  assert.ok(ticks <= 13.2, `${ticks} ticks`);
});

const loads = [
  { depth: 1, limits: [67_500, 1_001] },
  { depth: 256, limits: [37_800, 4.5] },
];
for (const { depth, limits } of loads) {
  test(`a store, ${depth} in flight: instructions of a put, and rounds of a thousand`, async () => {
    // From ten thousand revisions on each put lets go of an old one. A tenth as many come before those that are
    // asked for.
    const [few, many] = [12_000, 16_000];
    const words = (puts) => [puts, depth, 16].map(String);
    const more = (await callgrind(store, words(many))) - (await callgrind(store, words(few)));
    const rounds = Number(answer(store, words(few)).split(" ")[3]);
    const counted = [more / ((many - few) * 1.1), rounds / (few / 1_000)];
    for (const [at, what] of ["instructions", "rounds"].entries())
      assert.ok(counted[at] <= limits[at], `${counted[at]} ${what}, at most ${limits[at]}`);
  });
}
