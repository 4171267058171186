// What can be assembled of JavaScript alone: a port of etcd's Raft in three worker threads, ports between them, a file of JSON and
// fdatasync for each node.
//
// node assembled.mjs MILLISECONDS BYTES DIRECTORY DEPTHS: a line of JSON for each number of proposals in flight.

import { fdatasyncSync, openSync, writeSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { join } from "node:path";
import { isMainThread, MessageChannel, parentPort, Worker, workerData } from "node:worker_threads";
import { press } from "../load.mjs";

const NODES = 3;
const COMPACT_AT = 8192;
const KEPT = 4096;
const TICK_MS = 50;

if (isMainThread) await measure(process.argv.slice(2));
else run(workerData);

async function measure([ms, bytes, directory, depths]) {
  const ports = Array.from({ length: NODES }, () => ({}));
  for (let one = 0; one < NODES; one++) {
    for (let other = one + 1; other < NODES; other++) {
      const { port1, port2 } = new MessageChannel();
      ports[one][other + 1] = port1;
      ports[other][one + 1] = port2;
    }
  }
  const workers = ports.map((own, at) => {
    const data = { id: String(at + 1), ports: own, directory };
    return new Worker(new URL(import.meta.url), {
      workerData: data,
      transferList: Object.values(own),
    });
  });
  for (const worker of workers) {
    worker.on("error", (error) => {
      console.error(error);
      process.exit(1);
    });
  }
  const leader = await leaderOf(workers);
  const waiting = new Map();
  leader.on("message", ({ done = [], failed }) => {
    if (failed !== undefined) throw new Error("a proposal was dropped");
    for (const number of done) {
      waiting.get(number)?.();
      waiting.delete(number);
    }
  });
  const value = "Z".repeat(Number(bytes));
  const put = (number) =>
    new Promise((resolve) => {
      waiting.set(number, resolve);
      leader.postMessage({ number, value });
    });
  let base = 0;
  for (const depth of depths.split(",").map(Number)) {
    const numbered = (number) => put(base + number);
    await press(numbered, depth, Number(ms) / 5);
    base += 1e9;
    console.log(JSON.stringify({ depth, ...(await press(numbered, depth, Number(ms))) }));
    base += 1e9;
  }
  process.exit(0);
}

async function leaderOf(workers) {
  for (;;) {
    for (const worker of workers) {
      const answer = new Promise((resolve) => {
        worker.once("message", resolve);
      });
      worker.postMessage({ who: true });
      if ((await answer).leads) return worker;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** One node. */
function run({ id, ports, directory }) {
  const { RawNode, RaftConfig, StateType, MemoryStorage, pb } = loadRaft();
  const silent = new Proxy(
    {},
    {
      get: (_, name) =>
        /panic|fatal/.test(String(name))
          ? (...words) => {
              throw new Error(words.join(" "));
            }
          : () => {},
    },
  );
  const voters = Array.from({ length: NODES }, (_, at) => String(at + 1));
  const store = MemoryStorage.NewMemoryStorage();
  const confState = new pb.ConfState({ voters });
  const metadata = new pb.SnapshotMetadata({ confState, index: 1, term: 1 });
  store.ApplySnapshot(new pb.Snapshot({ metadata }));
  const settings = { electionTick: 10, heartbeatTick: 1, preVote: true, checkQuorum: true };
  const sizes = { maxSizePerMsg: 1 << 20, maxInflightMsgs: 256 };
  const raw = RawNode.NewRawNode(
    new RaftConfig({ id, storage: store, applied: 1, logger: silent, ...settings, ...sizes }),
  );
  const file = openSync(join(directory, `log-${id}.jsonl`), "w");
  let compacted = 1;
  let isDue = false;
  let proposals = [];
  const inbox = [];

  const ready = () => {
    const round = raw.ready();
    store.Append(round.entries);
    const hasState = !round.hardState.isEmptyHardState();
    if (hasState) store.SetHardState(round.hardState);
    if (round.entries.length > 0 || (hasState && round.mustSync)) {
      writeSync(file, `${JSON.stringify([round.hardState, round.entries])}\n`);
      fdatasyncSync(file);
    }
    for (const message of round.messages) ports[message.to].postMessage(message);
    const done = [];
    for (const { data, index } of round.committedEntries) {
      if (data?.value !== undefined) done.push(data.number);
      if (index > compacted + COMPACT_AT) {
        compacted = index - KEPT;
        store.Compact(compacted);
      }
    }
    if (done.length > 0 && raw.raft.state === StateType.StateLeader)
      parentPort.postMessage({ done });
    raw.advance(round);
  };
  const pump = () => {
    isDue = false;
    for (const message of inbox.splice(0)) {
      message.entries = message.entries.map((entry) => new pb.Entry(entry));
      message.snapshot = new pb.Snapshot(message.snapshot);
      raw.step(new pb.Message(message));
    }
    if (proposals.length > 0) {
      const entries = proposals.map((data) => new pb.Entry({ data }));
      proposals = [];
      const error = raw.step(new pb.Message({ type: pb.MessageType.MsgProp, from: id, entries }));
      if (error) parentPort.postMessage({ failed: String(error) });
    }
    while (raw.hasReady()) ready();
  };
  const kick = () => {
    if (isDue) return;
    isDue = true;
    setImmediate(pump);
  };
  for (const port of Object.values(ports)) {
    port.on("message", (message) => {
      inbox.push(message);
      kick();
    });
  }
  parentPort.on("message", (message) => {
    if (message.who) {
      parentPort.postMessage({ leads: raw.raft.state === StateType.StateLeader });
      return;
    }
    proposals.push(message);
    kick();
  });
  setInterval(() => {
    raw.tick();
    kick();
  }, TICK_MS);
}

/** The port's core. Its package loads a database that it does not need. */
function loadRaft() {
  const require = createRequire(import.meta.url);
  const load = Module._load;
  Module._load = (name, ...rest) =>
    name === "sqlite3" ? { verbose: () => ({}) } : load.call(Module, name, ...rest);
  const from = (name) => require(`@coaty/consensus.raft/ported/${name}`);
  const { RawNode } = from("rawnode");
  const { RaftConfig, StateType } = from("raft");
  const { MemoryStorage } = from("storage");
  return { RawNode, RaftConfig, StateType, MemoryStorage, pb: from("raftpb/raft.pb") };
}
