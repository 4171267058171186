// The suites of `quorate/testing`: what ships passes them, and each kind of mistake is found by the case that is about it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { broadcastChannel, messagePort } from "quorate";
import { storageCases, transportCases } from "quorate/testing";
import { bundle } from "../bundle.mjs";
import { scratch } from "./help.mjs";

const ported = () => {
  const transports = [messagePort(), messagePort(), messagePort()];
  const ports = [];
  for (const [a, b] of [
    [1, 2],
    [1, 3],
    [2, 3],
  ]) {
    const { port1, port2 } = new MessageChannel();
    transports[a - 1].connect(b, port1);
    transports[b - 1].connect(a, port2);
    ports.push(port1);
  }
  const close = () => {
    for (const port of ports) port.close();
  };
  return { transports, close };
};

/** A transport that does everything right, but what `flaw` does in its place. */
const aired = (flaw = {}) => {
  const ears = new Map();
  const transport = {
    open: async ({ node }, receive) => {
      ears.set(node, receive);
      let isOpen = true;
      return {
        send: (frame, to) => {
          if (!isOpen && !flaw.speaksOn) return;
          const shared = frame.slice();
          for (const [id, hear] of ears) {
            if (id === node && !flaw.echoes) continue;
            if (to !== undefined && to !== id && !flaw.tellsAll) continue;
            if (to !== undefined && flaw.throwsAtNobody && !ears.has(to)) throw new Error("who?");
            const own = flaw.shares
              ? shared
              : flaw.tears
                ? new Uint8Array(frame.buffer)
                : frame.slice();
            setImmediate(hear, flaw.cuts ? own.subarray(0, 1_000) : own, flaw.lies ? 3 : node);
          }
          if (to !== undefined && flaw.throwsAtNobody && !ears.has(to)) throw new Error("who?");
        },
        close: () => {
          isOpen = false;
          if (!flaw.hearsOn) ears.delete(node);
          if (flaw.closesForGood) ears.set(node, () => {});
          if (flaw.neverCloses) return new Promise(() => {});
        },
      };
    },
  };
  return { transports: [transport, transport, transport] };
};

for (const [name, make] of [
  ["messagePort", ported],
  [
    "broadcastChannel",
    () => ({ transports: [broadcastChannel(), broadcastChannel(), broadcastChannel()] }),
  ],
  ["a transport of one's own", () => aired()],
]) {
  for (const { name: what, run } of transportCases(make)) test(`${name}: ${what}`, run);
}

const FLAWS = [
  ["cuts", /arrives as it was sent/],
  ["tellsAll", /reaches no other one/],
  ["echoes", /to all reaches everybody else/],
  ["shares", /to all reaches everybody else/],
  ["tears", /part of a buffer/],
  ["lies", /who is said to be the sender/],
  ["throwsAtNobody", /sending to nobody/],
  ["hearsOn", /after close nothing is heard/],
  ["speaksOn", /after close nothing is heard/],
];

test("a transport that makes a mistake is found out by the case that is about it", async () => {
  const find = async ([flaw, what]) => {
    const cases = transportCases(() => aired({ [flaw]: true }));
    const guards = cases.filter(({ name }) => what.test(name));
    assert.equal(guards.length, 1);
    await assert.rejects(guards[0].run(), flaw);
  };
  // Together: some of them wait for what never comes.
  await Promise.all(FLAWS.map(find));
});

test("storages in directories", async (t) => {
  const codec = await core();
  const { directory } = await bundle({ directory: "storage/directory.ts" });
  for (const { name, run } of storageCases(() => {
    const root = scratch(t);
    const factory = (cluster, node) =>
      directory.directoryStorage(`${root}/${cluster}/node-${node}`, codec);
    return { factory };
  }))
    await t.test(name, run);
});

test("storages in memory", async (t) => {
  const { memory } = await bundle({ memory: "storage/memory.ts" });
  for (const { name, run } of storageCases(() => ({ factory: memory.memory() })))
    await t.test(name, run);
});

/** The core's seals, for storages that need them. */
async function core() {
  const glue = await import("../../pkg/wasm/quorate_wasm.js");
  glue.initSync({ module: readFileSync(new URL("../../pkg/dist/quorate.wasm", import.meta.url)) });
  return glue;
}

/** Storage in memory that does everything right, but what `flaw` does in its place. */
const remembered = (flaw = {}) => {
  const all = new Map();
  const factory = (cluster, node) => {
    const name = flaw.mixes ? "" : `${cluster}/${node}`;
    const place = all.get(name) ?? { records: new Map(), epoch: 0 };
    all.set(name, place);
    let mine;
    let late = [];
    const put = (entries) => {
      for (const [key, value] of entries)
        place.records.set(key, flaw.shares ? value : value.slice());
    };
    return {
      load: async () => {
        mine = ++place.epoch;
        return [...place.records].map(([key, value]) => [key, flaw.shares ? value : value.slice()]);
      },
      write: async (deletes, puts) => {
        if (mine !== place.epoch && !flaw.lets)
          throw Object.assign(new Error("taken"), { code: flaw.says ?? "STORAGE_FENCED" });
        if (flaw.putsFirst) put(puts);
        for (const [first, end] of deletes) {
          for (const key of [...place.records.keys()]) {
            const points = (text) =>
              [...text].map((char) => char.codePointAt(0).toString(16).padStart(6, "0")).join("");
            const [k, a, b] = flaw.byPoints ? [key, first, end].map(points) : [key, first, end];
            if (a <= k && (k < b || (flaw.inclusive && k === b))) place.records.delete(key);
          }
        }
        if (flaw.putsFirst) return;
        if (flaw.buffers) late.push(...puts);
        else put(puts);
      },
      close: async () => {
        put(late);
        late = [];
        if (flaw.forgets) place.records.clear();
      },
    };
  };
  return { factory };
};

for (const [flaw, what] of [
  [{ forgets: true }, /are there when it is opened again/],
  [{ buffers: true }, /even if close was never called/],
  [{ inclusive: true }, /a range takes its first key/],
  [{ putsFirst: true }, /a range takes its first key/],
  [{ byPoints: true }, /as JavaScript orders strings/],
  [{ shares: true }, /to its bytes afterwards/],
  [{ mixes: true }, /nodes and clusters are apart/],
  [{ lets: true }, /can write no more/],
  [{ says: "OOPS" }, /can write no more/],
]) {
  test(`a storage that has the flaw ${Object.keys(flaw)} is found out`, async () => {
    for (const { run } of storageCases(() => remembered())) await run();
    const guards = storageCases(() => remembered(flaw)).filter(({ name }) => what.test(name));
    assert.equal(guards.length, 1);
    await assert.rejects(guards[0].run());
  });
}
