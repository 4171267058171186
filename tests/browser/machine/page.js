// A bank in a page, with workers and IndexedDB: what came of it is left in `globalThis.outcome`.

import { Cluster } from "./quorate/auto.js";

const machine = (name) => new URL(`./${name}.mjs`, import.meta.url);
const bank = { name: "bank", machine: machine("bank"), snapshotEntries: 20 };

const codeOf = async (work) => {
  try {
    await work;
    return "none";
  } catch (error) {
    return error.code;
  }
};

async function use(cluster) {
  const leader = cluster.node(await cluster.leader());
  const load = Array.from({ length: 60 }, (_, call) =>
    cluster.execute({ deposit: { to: `account ${call % 5}`, amount: 1 } }),
  );
  await leader.kill();
  await Promise.all(load);
  await leader.start();
  const poor = await codeOf(cluster.execute({ transfer: { from: "x", to: "y", amount: 1 } }));
  return { poor, own: await leader.query("total") };
}

async function story() {
  const first = await Cluster.open(bank);
  const told = await use(first).finally(() => first.close());
  const second = await Cluster.open(bank);
  told.total = await second.query("total").finally(() => second.close());
  told.origin = second.origin;
  told.absent = await codeOf(Cluster.open({ ...bank, name: "absent", machine: machine("absent") }));
  const { machine: _, ...store } = bank;
  told.mismatch = await codeOf(Cluster.open(store));
  return told;
}

story().then(
  (told) => {
    globalThis.outcome = { told };
  },
  (error) => {
    globalThis.outcome = { error: String(error.stack) };
  },
);
