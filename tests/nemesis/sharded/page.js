// A sharded store in a page: `globalThis.begin` starts a run, and `globalThis.ended` is what came of it, as text.

import { ShardedCluster } from "../quorate/shards.js";
import { torment } from "../sharded.mjs";

const open = (options) => ShardedCluster.open(options);

globalThis.begin = (seed, seconds) => {
  torment({ open, seed, seconds }).then(
    (outcome) => {
      globalThis.ended = JSON.stringify(outcome);
    },
    (error) => {
      globalThis.ended = JSON.stringify({ problems: [String(error?.stack ?? error)] });
    },
  );
};
