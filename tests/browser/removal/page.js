// Databases are deleted while their nodes write: what came of it is left in `globalThis.outcome`.

import { Cluster } from "./quorate/auto.js";

const NODES = [1, 2, 3];
const ROUNDS = 3;
/** A deletion and a return take at most so many milliseconds each. */
const LONGEST = 10_000;

const within = (what, work) =>
  Promise.race([
    work,
    new Promise((_, reject) => setTimeout(reject, LONGEST, new Error(`in vain: ${what}`))),
  ]);

const remove = (node) =>
  new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(`quorate/removal/${node}`);
    request.onsuccess = resolve;
    request.onerror = () => reject(request.error);
  });

/** Until a node has lost its vote, and has it again. */
const voteBack = (cluster, node) =>
  new Promise((resolve) => {
    let lost = false;
    cluster.addEventListener("memberchange", ({ detail: { members } }) => {
      const { voter, joining } = members.find(({ id }) => id === node);
      if (voter && !joining && lost) resolve();
      lost ||= !voter;
    });
  });

async function story(cluster) {
  const reasons = [];
  cluster.addEventListener("halted", ({ detail: { reason } }) => reasons.push(reason.code));
  let [written, over] = [0, false];
  const write = async () => {
    for (; !over; written++) await cluster.kv.increment("n");
  };
  const writing = Promise.all([1, 2, 3, 4].map(write));
  const removing = async () => {
    for (let round = 0; round < ROUNDS; round++) {
      for (const node of NODES) {
        const back = voteBack(cluster, node);
        await within(`node ${node}'s database is deleted, round ${round}`, remove(node));
        await within(`node ${node} votes again, round ${round}`, back);
      }
    }
  };
  await removing().finally(() => {
    over = true;
  });
  await writing;
  return { reasons, missing: written - (await cluster.kv.get("n")).value };
}

const cluster = await Cluster.open({ name: "removal", nodes: NODES.length });
globalThis.outcome = await story(cluster).then(
  (told) => ({ told }),
  (error) => ({ error: String(error) }),
);
await cluster.close();
