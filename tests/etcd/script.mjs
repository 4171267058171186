// The script: what an etcd server and Quorate are both asked, step by step.
//
// It says nothing of the answers. Those of etcd are in `recorded.json`; those of Quorate must be equal, but for the ways of
// `differences.mjs` where a step names one. It needs nothing of Node, nor of a browser.

import { compactChapter } from "./chapters/compact.mjs";
import { deleteChapter } from "./chapters/delete.mjs";
import { errorsChapter } from "./chapters/errors.mjs";
import { leaseChapter } from "./chapters/lease.mjs";
import { pastChapter } from "./chapters/past.mjs";
import { putChapter } from "./chapters/put.mjs";
import { rangeChapter } from "./chapters/range.mjs";
import { txnChapter } from "./chapters/txn.mjs";
import { watchChapter } from "./chapters/watch.mjs";

const chapters = {
  put: putChapter,
  range: rangeChapter,
  past: pastChapter,
  delete: deleteChapter,
  txn: txnChapter,
  watch: watchChapter,
  lease: leaseChapter,
  compact: compactChapter,
  errors: errorsChapter,
};

/** All scenes in order, each with its name and its steps. */
export const scenes = Object.entries(chapters).flatMap(([chapter, scenes]) =>
  scenes.map(({ title, steps }) => ({ name: `${chapter}: ${title}`, steps })),
);

/** Performs the script; what came back, by the names of the scenes, a list for each. */
export async function perform(adapter) {
  const answers = {};
  for (const { name, steps } of scenes) {
    await adapter.begin();
    answers[name] = [];
    for (const [at, step] of steps.entries()) {
      try {
        answers[name].push(await adapter.perform(step));
      } catch (error) {
        throw new Error(`${adapter.name}, ${name}, step ${at + 1}: ${JSON.stringify(step)}`, {
          cause: error,
        });
      }
    }
  }
  await adapter.end();
  return answers;
}
