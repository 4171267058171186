// Nodes of different owners: over ports, over a transport of the caller's own, and what comes in that does not fit.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { broadcastChannel, messagePort, Node } from "quorate";
import { event, failure, scratch, until } from "./help.mjs";

let names = 0;
/** A name that no other test has: broadcast channels reach the whole process. */
const fresh = () => `transport-${process.pid}-${names++}`;

/** A transport for each of so many nodes, connected by ports, all to all. */
function ported(size) {
  const transports = Array.from({ length: size }, () => messagePort());
  for (let a = 1; a <= size; a++) {
    for (let b = a + 1; b <= size; b++) {
      const { port1, port2 } = new MessageChannel();
      transports[a - 1].connect(b, port1);
      transports[b - 1].connect(a, port2);
    }
  }
  return transports;
}

/** Transports of the caller's own, over a medium that anything can be put on. */
class Air {
  #ears = new Map();
  /** What each frame goes through: gives the frames that arrive. */
  weather = (frame) => [frame];
  transport() {
    return {
      open: ({ node }, receive) => {
        this.#ears.set(node, receive);
        return {
          send: (frame, to) => {
            for (const [id, hear] of this.#ears) {
              if (id === node || (to !== undefined && to !== id)) continue;
              for (const each of this.weather(frame, node, id))
                setImmediate(hear, each.slice(), node);
            }
          },
          close: () => void this.#ears.delete(node),
        };
      },
    };
  }
  /** Lets a node hear these bytes from another one. */
  say(to, bytes, from) {
    this.#ears.get(to)?.(bytes, from);
  }
}

/** The kinds of envelopes: who somebody is, what clients ask, what a leader answers, and a farewell. */
const HELLO = 1;
const REQUESTS = 3;
const ANSWER = 6;
const GOODBYE = 7;

/** A frame as it is, but of this kind. */
function as(kind, frame) {
  const other = frame.slice();
  other[3] = kind;
  return other;
}

/** Opens nodes 1 to n of one cluster; the first founds. They are closed when the test ends. */
async function openAll(t, transports, options = {}) {
  const cluster = fresh();
  const nodes = [];
  for (const [at, transport] of transports.entries()) {
    const node = await Node.open({
      cluster,
      id: at + 1,
      transport,
      found: at === 0,
      storage: "memory",
      ...options,
    });
    nodes.push(node);
    t.after(() => node.close());
  }
  return nodes;
}

const votersOf = async (node) => (await node.status()).members.voters;
/** Waits until a node has these voters and no change is under way. */
const voters = (node, ids) =>
  until(async () => {
    const { members } = await node.status();
    return `${members.voters}` === `${ids}` && members.outgoing.length === 0;
  }, `voters ${ids}`);

for (const [name, transports] of [
  ["ports", () => ported(3)],
  ["broadcast channels", () => Array.from({ length: 3 }, () => broadcastChannel())],
  [
    "a transport of one's own",
    () => {
      const air = new Air();
      return Array.from({ length: 3 }, () => air.transport());
    },
  ],
]) {
  test(`over ${name}: one founds, two join and get votes, all serve, the leader is lost and found`, async (t) => {
    const nodes = await openAll(t, transports());
    assert.deepEqual(
      nodes.map(({ origin }) => origin),
      ["founded", "joined", "joined"],
    );
    for (const node of nodes) await voters(node, [1, 2, 3]);
    await Promise.all(nodes.map((node, at) => node.kv.put(`k${at}`, at)));
    for (const node of nodes) assert.equal((await node.kv.get("k2")).value, 2);
    const leader = await nodes[0].leader();
    const rest = nodes.filter(({ id }) => id !== leader);
    await nodes[leader - 1].close();
    await rest[0].kv.put("after", leader);
    assert.equal((await rest[1].kv.get("after")).value, leader);
  });
}

test("a member that is gone is removed by any node, and one that is opened again goes on", async (t) => {
  const transports = ported(3);
  const directory = scratch(t);
  const nodes = await openAll(t, transports, { storage: "directory", directory });
  await voters(nodes[0], [1, 2, 3]);
  await nodes[0].kv.put("k", 1);
  await nodes[2].close();
  const again = await Node.open({
    cluster: nodes[0].cluster,
    id: 3,
    transport: transports[2],
    storage: "directory",
    directory,
  });
  t.after(() => again.close());
  assert.equal(again.origin, "restored");
  assert.equal((await again.kv.get("k")).value, 1);
  await again.close();
  const leads = () => nodes[0].leader();
  await until(async () => (await leads()) !== 3, "one of the others leads");
  const follower = nodes[(await leads()) === 1 ? 1 : 0];
  await follower.members.remove(3);
  assert.deepEqual(await votersOf(nodes[0]), [1, 2]);
  await nodes[0].kv.put("k", 2);
});

test("who alone could be asked is nobody: opening ends by its deadline, and says why", async () => {
  const [transport] = ported(1);
  const work = Node.open({ cluster: fresh(), id: 2, transport, storage: "memory", deadline: 700 });
  const { outcome } = await failure(work, "NO_QUORUM");
  assert.equal(outcome, "not-applied");
});

test("the same directory is not opened twice", async (t) => {
  const directory = scratch(t);
  const options = { cluster: fresh(), id: 1, found: true, storage: "directory", directory };
  const node = await Node.open({ ...options, transport: messagePort() });
  t.after(() => node.close());
  await failure(Node.open({ ...options, transport: messagePort() }), "STORAGE_LOCKED");
});

test("what loses, doubles, delays and overtakes is no more than a slow transport", async (t) => {
  const air = new Air();
  let seed = 7;
  const chance = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const held = [];
  air.weather = (frame) => {
    if (chance() < 0.05) return [];
    if (chance() < 0.05) return [frame, frame];
    // Comes with, and thus after, a later one.
    if (chance() < 0.1) {
      held.push(frame);
      return [];
    }
    return [frame];
  };
  const nodes = await openAll(t, [air.transport(), air.transport(), air.transport()]);
  await voters(nodes[0], [1, 2, 3]);
  const adds = Array.from({ length: 60 }, (_, at) => nodes[at % 3].kv.increment("n", 1));
  await Promise.all(adds);
  assert.equal((await nodes[1].kv.get("n")).value, 60);
  assert.ok(held.length > 0);
});

test("what a client asks of another node counts once, and in order", async (t) => {
  const air = new Air();
  const nodes = await openAll(
    t,
    [1, 2].map(() => air.transport()),
  );
  await voters(nodes[0], [1, 2]);
  await nodes[0].leadership.transferTo(1);
  let asked = 0;
  let held;
  air.weather = (frame, from) => {
    if (frame[3] !== REQUESTS || from !== 2) return [frame];
    asked += 1;
    // The third comes after the fourth, all others twice.
    if (asked === 3) {
      held = frame;
      return [];
    }
    return asked === 4 ? [frame, held] : [frame, frame];
  };
  for (let sum = 1; sum <= 5; sum++) assert.equal((await nodes[1].kv.increment("n")).value, sum);
  const { dropped } = (await nodes[0].status()).transport;
  assert.ok(asked >= 5);
  assert.equal(
    dropped.repeated,
    asked - 1,
    "each but the third came a second time, and that one late",
  );
});

test("a transport that does not open, or throws, is told; nothing hangs", async (t) => {
  const options = { cluster: fresh(), id: 1, found: true, storage: "memory" };
  const broken = { open: () => Promise.reject(new Error("no way")) };
  const { message } = await failure(
    Node.open({ ...options, transport: broken }),
    "TRANSPORT_FAILED",
  );
  assert.match(message, /no way/);
  const throwing = {
    open: () => ({
      send() {
        throw new Error("cut");
      },
      close() {
        throw new Error("stuck");
      },
    }),
  };
  const node = await Node.open({ ...options, cluster: fresh(), transport: throwing });
  t.after(() => node.close());
  await node.kv.put("k", 1);
  assert.equal((await node.kv.get("k")).value, 1);
  const silent = { open: () => new Promise(() => {}) };
  const late = Node.open({
    ...options,
    cluster: fresh(),
    transport: silent,
    found: false,
    deadline: 500,
  });
  await failure(late, "NO_QUORUM");
});

test("frames of another version, cluster, incarnation or sender, and garbage, are dropped and counted", async (t) => {
  const air = new Air();
  const heard = [];
  air.weather = (frame, from, to) => {
    if (to === 1 && from === 2) heard.push(frame.slice());
    return [frame];
  };
  const nodes = await openAll(t, [air.transport(), air.transport()]);
  await voters(nodes[0], [1, 2]);
  const messages = () => heard.find((frame) => frame[3] === 2);
  await until(messages, "a frame of the core's");
  const good = messages();
  const dropped = async () => (await nodes[0].status()).transport.dropped;
  const wrong = (change) => {
    const frame = good.slice();
    change(frame);
    return frame;
  };
  for (const [reason, bytes, from] of [
    ["malformed", new Uint8Array(3), 2],
    ["malformed", "text", 2],
    ["malformed", wrong((frame) => (frame[0] = 0)), 2],
    ["malformed", wrong((frame) => (frame[3] = 99)), 2],
    ["malformed", wrong((frame) => (frame[8] = 3)), 2],
    ["version", wrong((frame) => (frame[2] = 2)), 2],
    ["origin", good, 3],
    ["cluster", wrong((frame) => (frame[16] ^= 1)), 2],
    ["incarnation", wrong((frame) => (frame[24] ^= 1)), 2],
    ["incarnation", wrong((frame) => (frame[32] ^= 1)), 2],
  ]) {
    const before = await dropped();
    air.say(1, bytes, from);
    await until(async () => (await dropped())[reason] > before[reason], `${reason} is counted`);
    const { transport, rejectedFrames } = await nodes[0].status();
    const others = Object.keys(before).filter((other) => other !== reason);
    for (const other of others) assert.equal(transport.dropped[other], before[other], other);
    assert.equal(rejectedFrames, 0, "nothing of it reached the core");
  }
  assert.equal((await votersOf(nodes[0])).length, 2);
  await nodes[1].kv.put("still", "there");
});

test("a cluster of the same name, founded by itself, stays apart", async (t) => {
  const air = new Air();
  const cluster = fresh();
  let apart = true;
  air.weather = (frame) => (apart ? [] : [frame]);
  const open = (id) =>
    Node.open({ cluster, id, transport: air.transport(), found: true, storage: "memory" });
  const [one, two] = await Promise.all([open(1), open(2)]);
  t.after(() => Promise.all([one.close(), two.close()]));
  apart = false;
  await until(async () => (await one.status()).transport.dropped.cluster > 0, "it is heard");
  assert.deepEqual([await votersOf(one), await votersOf(two)], [[1], [2]]);
});

test("options that make no sense are refused before anything starts", async () => {
  const transport = messagePort();
  const options = { cluster: "c", id: 1, transport, storage: "memory" };
  for (const wrong of [
    { ...options, cluster: "" },
    { ...options, id: 0 },
    { ...options, id: undefined },
    { ...options, transport: {} },
    { ...options, transport: undefined },
    { ...options, found: 1 },
    { ...options, nodes: 3 },
  ]) {
    const { message } = await failure(Node.open(wrong), "INVALID_OPTION");
    assert.match(message, /^Node\.open: /);
  }
});

test("a node tells what happens: leaders, members, others that come and go", async (t) => {
  const transports = ported(2);
  const [one] = await openAll(t, transports.slice(0, 1));
  const up = event(one, "nodeup", ({ node }) => node === 2);
  const joined = event(one, "memberchange", ({ members }) =>
    members.some(({ id, voter }) => id === 2 && voter),
  );
  const two = await Node.open({
    cluster: one.cluster,
    id: 2,
    transport: transports[1],
    storage: "memory",
  });
  await Promise.all([up, joined]);
  assert.deepEqual(
    one.members.list().map(({ id }) => id),
    [1, 2],
  );
  const leads = event(one, "leaderchange", ({ leader }) => leader === 2);
  await one.leadership.transferTo(2);
  await leads;
  await two.leadership.transferTo(1);
  const down = event(one, "nodedown", ({ node }) => node === 2);
  await two.close();
  await down;
});

test("strangers that come and go, however many, and ids that nobody can have, do a node no harm", async (t) => {
  const air = new Air();
  let hello;
  air.weather = (frame, from) => {
    if (frame[3] === HELLO && from === 2) hello = frame;
    return [frame];
  };
  const nodes = await openAll(t, [air.transport(), air.transport()]);
  await voters(nodes[0], [1, 2]);
  // Its last one says the cluster.
  await nodes[1].kv.put("k", 1);
  const of = (id) => {
    const frame = hello.slice();
    new DataView(frame.buffer).setUint32(4, id, true);
    return frame;
  };
  for (let id = 3; id <= 400; id++) {
    air.say(1, of(id), id);
    air.say(1, as(GOODBYE, of(id)), id);
  }
  const traffic = async () => (await nodes[0].status()).transport;
  await until(async () => (await traffic()).received >= 796, "all of them are taken");
  const { dropped } = await traffic();
  air.say(1, of(1_000), 1_000);
  const isDropped = async () => (await traffic()).dropped.malformed > dropped.malformed;
  await until(isDropped, "an id that is too large is no node's");
  await nodes[1].kv.put("k", 2);
  assert.deepEqual(
    nodes.map(({ state }) => state),
    ["running", "running"],
  );
});

test("a hello that was long on its way does not put an earlier life of a node in the place of this one", async (t) => {
  const air = new Air();
  let late;
  air.weather = (frame, from) => {
    if (frame[3] === HELLO && from === 2) late ??= frame;
    return [frame];
  };
  const nodes = await openAll(t, [air.transport(), air.transport()]);
  await voters(nodes[0], [1, 2]);
  const renewed = event(nodes[0], "nodeup", ({ node }) => node === 2);
  await nodes[1].kill();
  await nodes[1].start();
  await renewed;
  let gone = 0;
  nodes[0].addEventListener("nodedown", () => gone++);
  const before = (await nodes[0].status()).transport.dropped.incarnation;
  air.say(1, late, 2);
  await until(async () => {
    const { transport } = await nodes[0].status();
    return transport.dropped.incarnation > before;
  }, "it is dropped");
  assert.equal(gone, 0);
  await nodes[1].kv.put("k", 1);
});

test("what a leader has taken is told, though its answer is lost", async (t) => {
  const air = new Air();
  const nodes = await openAll(
    t,
    [1, 2, 3].map(() => air.transport()),
  );
  await voters(nodes[0], [1, 2, 3]);
  await nodes[0].leadership.transferTo(1);
  await nodes[1].leadership.transferTo(1);
  await nodes[2].close();
  let lost = 0;
  air.weather = (frame) => (frame[3] === ANSWER && ++lost ? [] : [frame]);
  // Nobody can tell by then.
  const { outcome } = await failure(nodes[1].members.remove(3, { timeout: 400 }), "TIMEOUT");
  assert.equal(outcome, "unknown");
  await voters(nodes[0], [1, 2]);
  lost = 0;
  await nodes[1].members.demote(2);
  assert.ok(lost > 0);
  assert.deepEqual((await nodes[0].status()).members.learners, [2]);
  // As many as are under way at most: none of them is left behind.
  const asks = Array.from({ length: 70 }, () => nodes[1].members.remove(9, { timeout: 300 }));
  await Promise.all(asks.map((ask) => ask.catch(() => {})));
  await until(async () => {
    air.weather = (frame) => [frame];
    const error = await nodes[1].members.remove(9, { timeout: 300 }).catch((error) => error);
    return error.code === "UNKNOWN_MEMBER";
  }, "there is room for further ones");
});

test("a node that comes and goes for another one is served as ever", async (t) => {
  const air = new Air();
  let hello;
  air.weather = (frame, from, to) => {
    if (frame[3] === HELLO && from === 1 && to === 2) hello = frame;
    return [frame];
  };
  const nodes = await openAll(t, [air.transport(), air.transport()]);
  await voters(nodes[0], [1, 2]);
  await nodes[0].leadership.transferTo(1);
  await nodes[1].kv.put("k", 0);
  // More often than a node has clients of one other owner.
  for (let n = 1; n <= 70; n++) {
    const down = event(nodes[1], "nodedown", ({ node }) => node === 1);
    const up = event(nodes[1], "nodeup", ({ node }) => node === 1);
    air.say(2, as(GOODBYE, hello), 1);
    air.say(2, hello, 1);
    await Promise.all([down, up]);
    assert.equal((await nodes[1].kv.increment("n", 1, { timeout: 5_000 })).value, n);
  }
});

test("who is to found listens from when it can hear, and says what it did", async (t) => {
  const air = new Air();
  const [one] = await openAll(t, [air.transport()]);
  const open = (id, options) =>
    Node.open({ cluster: one.cluster, id, found: true, storage: "memory", ...options });
  const slow = {
    open: async (self, receive) => {
      // Longer than it listens.
      await new Promise((resolve) => setTimeout(resolve, 800));
      return air.transport().open(self, receive);
    },
  };
  const two = await open(2, { transport: slow });
  t.after(() => two.close());
  assert.equal(two.origin, "joined");
  await voters(one, [1, 2]);

  // It is told of the cluster when its owner has already decided to found one.
  const createWorker = () => {
    const worker = new Worker(new URL(import.meta.resolve("quorate/worker")));
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (message, transfer) => {
      if (message.type !== "begin") return post(message, transfer);
      worker.on("message", ({ type }) => type === "started" && post(message));
      air.weather = (frame) => [frame];
    };
    return worker;
  };
  air.weather = (frame, from, to) => (from === 3 || to === 3 ? [] : [frame]);
  const three = await open(3, { transport: air.transport(), createWorker });
  t.after(() => three.close());
  assert.equal(three.origin, "joined");
  await voters(one, [1, 2, 3]);
});

test("a port that throws keeps no frame from the others", () => {
  const heard = [];
  const broken = {
    postMessage() {
      throw new Error("cut");
    },
    onmessage: null,
  };
  const sound = { postMessage: (frame) => heard.push([...frame]), onmessage: null };
  const link = messagePort({ 2: broken, 3: sound }).open({ cluster: "c", node: 1 }, () => {});
  link.send(Uint8Array.of(1, 2, 3));
  assert.deepEqual(heard, [[1, 2, 3]]);
});

test("over broadcast channels a node that is used reaches the other, however many ids were ever seen", async (t) => {
  const cluster = fresh();
  const hears = (node, receive) => {
    const link = broadcastChannel().open({ cluster, node }, receive);
    t.after(() => link.close());
    return link;
  };
  const one = hears(1, () => {});
  for (let id = 2; id <= 400; id++) one.send(Uint8Array.of(0), id);
  const heard = [];
  hears(500, (frame, from) => heard.push([from, ...frame]));
  await until(() => {
    one.send(Uint8Array.of(7), 500);
    return heard.length > 0;
  }, "it is reached");
  assert.deepEqual(heard[0], [1, 7]);
});
