// The script in a page: what came of it is left in `globalThis.outcome`.

import { quorateAdapter } from "../adapters/quorate.mjs";
import { Cluster, QuorateError } from "../quorate/auto.js";
import { perform } from "../script.mjs";

async function ask() {
  const cluster = await Cluster.open({ name: "etcd", nodes: 3 });
  try {
    return await perform(quorateAdapter(cluster.kv, QuorateError));
  } finally {
    await cluster.close();
  }
}

ask().then(
  (answers) => {
    globalThis.outcome = { answers };
  },
  (error) => {
    globalThis.outcome = { error: `${error.stack}\n${error.cause?.stack ?? ""}` };
  },
);
