// Leads an arena through one run from outside: starts it, tells how it goes, stops the host when asked, and keeps what came
// of it: the history, what the nemesis did, and a summary.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { at } from "../../scripts/lib/run.mjs";
import { chromiumArena, firefoxArena, webkitArena } from "./browser.mjs";
import { chanceOf } from "./chance.mjs";
import { judge } from "./judge.mjs";
import { nodeArena } from "./node.mjs";

export const arenas = {
  node: nodeArena,
  chromium: chromiumArena,
  firefox: firefoxArena,
  webkit: webkitArena,
};

/** Comparing and closing take a while, and a frozen machine longer; after this no end comes any more. */
const graceSeconds = 180;

/**
 * One run: `{ host, seed, seconds, nodes?, faults? }`. `tell` gets how it goes, about once a second. Answers with the summary:
 * `problems`, none if all is well, each beginning with its kind; what was counted; and where the history is.
 */
export async function drive({ host, seed, seconds, nodes, faults }, tell = () => {}) {
  const size = nodes ?? chanceOf(seed, "shape").pick([3, 3, 5]);
  const arena = await arenas[host]();
  let summary;
  const files = filesOf(host, seed);
  try {
    const options = { name: "nemesis", seed, seconds, nodes: size, faults };
    await arena.start({ ...options, canSuspend: arena.canSuspend });
    await follow(arena, seconds + graceSeconds, tell);
    summary = JSON.parse(await arena.take("summary"));
    writeFileSync(files.history, await arena.take("history"));
    writeFileSync(files.deeds, await arena.take("deeds"));
  } finally {
    await arena.close();
  }
  const verdict = await judge(files.history);
  if (!verdict.linearizable) summary.problems.push(`safety: ${verdict.told}`);
  return { host, seed, nodes: size, ...summary, ...files };
}

async function follow(arena, limitSeconds, tell) {
  const end = performance.now() + limitSeconds * 1_000;
  for (let told = 0; ; ) {
    const seen = await arena.poll();
    if (seen.done) return;
    if (seen.suspend > 0) await arena.suspend(seen.suspend);
    const now = performance.now();
    if (now > end) {
      const underWay = seen.underWay?.join() ?? "";
      throw new Error(`the run did not end within ${limitSeconds} s: ${seen.phase}: ${underWay}`);
    }
    if (now - told > 1_000) {
      told = now;
      tell(seen);
    }
    await sleep(100);
  }
}

function filesOf(host, seed) {
  const folder = at("target", "nemesis");
  mkdirSync(folder, { recursive: true });
  const path = (what) => join(folder, `${host}-${seed}-${what}.jsonl`);
  return { history: path("history"), deeds: path("deeds") };
}
