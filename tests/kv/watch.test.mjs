// The hub of watches against a store of a few lines: whatever nodes lag, cut replies, fail or forget, each watch tells of exactly
// what happened to its keys, in order.

import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import test from "node:test";

import { bundle } from "../bundle.mjs";

const { hub, watch, codec, errors, bytes } = await bundle({
  hub: "kv/watch-hub.ts",
  watch: "kv/watch.ts",
  codec: "kv/codec.ts",
  errors: "errors.ts",
  bytes: "kv/bytes.ts",
});

const utf8 = new TextEncoder();
const text = (it) => new TextDecoder().decode(it);

/** Numbers from a seed. */
function numbers(seed) {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return Math.floor((state / 4294967296) * below);
  };
}

/** What is asked for, read as the core reads it. */
function decode(query) {
  const from = new bytes.Reader(query);
  assert.equal(from.byte(), 0x44);
  const watches = Array.from({ length: from.number() }, () => ({
    start: text(from.bytes()),
    end: from.option((it) => text(it.bytes())),
    noPut: from.flag(),
    noDelete: from.flag(),
    previous: from.flag(),
  }));
  const [revision, key] = [from.number(), from.option((it) => text(it.bytes()))];
  return { watches, revision, key, limit: from.number(), bytes: from.number() };
}

/** A store that keeps all, and nodes of it that may lag. */
class World {
  revision = 0;
  compacted = 0;
  changes = [];
  live = new Map();
  #waiting = new Set();

  constructor(random) {
    this.random = random;
  }

  /** One revision that changes some keys. */
  change(count) {
    const keys = new Set(Array.from({ length: count }, () => `k${this.random(12)}`));
    this.revision++;
    for (const key of [...keys].sort()) {
      const before = this.live.get(key);
      const deleted = before !== undefined && this.random(3) === 0;
      const meta = deleted
        ? { createRevision: 0, modRevision: this.revision, version: 0, lease: 0 }
        : {
            createRevision: before?.createRevision ?? this.revision,
            modRevision: this.revision,
            version: (before?.version ?? 0) + 1,
            lease: 0,
          };
      const value = utf8.encode(deleted ? "" : `${key}@${this.revision}`);
      const record = { key: utf8.encode(key), value, ...meta };
      if (deleted) this.live.delete(key);
      else this.live.set(key, record);
      this.changes.push({ deleted, record, previous: before });
    }
    for (const wake of this.#waiting) wake();
  }

  ask = async (query, { signal }, from) => {
    const asked = decode(query);
    if (signal !== undefined) setMaxListeners(0, signal);
    for (let turns = this.random(4); turns > 0; turns--) await null;
    if (from === "any")
      return { type: "changes", revision: this.revision, next: this.revision + 1, events: [] };
    if (this.random(10) === 0)
      throw errors.quorateError("TOO_MANY_CALLS", "the client is busy for a moment");
    for (;;) {
      signal.throwIfAborted();
      const reply = this.#reply(asked);
      if (reply !== undefined) return reply;
      await new Promise((resolve) => {
        this.#waiting.add(resolve);
        signal.addEventListener("abort", resolve, { once: true });
        setTimeout(resolve, 1); // The node hears of what it lacks.
      });
    }
  };

  /** What a node says that may lag by some revisions; nothing while it has nothing to say. */
  #reply({ watches, revision: from, key: fromKey, limit }) {
    if (from <= this.compacted)
      return { type: "compacted", compacted: this.compacted, revision: this.revision };
    const now = Math.max(this.compacted, this.revision - this.random(3));
    const most = Math.min(limit === 0 ? 1e9 : limit, 1 + this.random(6));
    const events = [];
    let [next, nextKey] = [Math.max(from, now + 1), undefined];
    for (const change of this.changes) {
      const [revision, key] = [change.record.modRevision, text(change.record.key)];
      if (revision < from || revision > now || (revision === from && key < (fromKey ?? "")))
        continue;
      const wanted = watches.filter(
        (it) =>
          !(change.deleted ? it.noDelete : it.noPut) &&
          key >= it.start &&
          (it.end === undefined || key < it.end),
      );
      if (wanted.length === 0) continue;
      if (events.length === most) {
        [next, nextKey] = [revision, utf8.encode(key)];
        break;
      }
      const previous = wanted.some((it) => it.previous) ? change.previous : undefined;
      events.push({ ...change, previous });
    }
    if (events.length === 0 && next > now && this.random(5) > 0) return undefined;
    return { type: "changes", revision: now, next, key: nextKey, events };
  }
}

const isWithin = (selection, key) =>
  typeof selection === "string"
    ? key === selection
    : key.startsWith(selection.prefix ?? "") &&
      key >= (selection.start ?? "") &&
      (selection.end === undefined || key < selection.end);

/** One watch, taken from in its own pace; what it told. */
async function follow(world, all, until) {
  const { random } = world;
  const selection = [
    `k${random(12)}`,
    { prefix: "k1" },
    { prefix: "" },
    { start: "k2", end: "k7" },
    { start: `k${random(9)}` },
  ][random(5)];
  const options = {
    buffer: 1 + random(5),
    previous: random(2) === 0,
    progress: random(2) === 0,
    ...(random(2) === 0 && { from: 1 + random(world.revision + 1) }),
    ...[{}, {}, { only: "put" }, { only: "delete" }][random(4)],
  };
  const it = watch.openWatch(all, codec.utf8, selection, options);
  const seen = [];
  let marked = 0;
  let pending;
  try {
    const from = await it.ready;
    for (;;) {
      const expected = () =>
        world.changes.filter(
          ({ deleted, record }) =>
            record.modRevision >= from &&
            isWithin(selection, text(record.key)) &&
            options.only !== (deleted ? "put" : "delete"),
        );
      if (until.done && seen.length >= expected().length) {
        assert.deepEqual(
          seen.map(({ key, modRevision }) => `${modRevision} ${key}`),
          expected().map(({ record }) => `${record.modRevision} ${text(record.key)}`),
        );
        for (const [at, event] of seen.entries()) {
          const { deleted, record, previous } = expected()[at];
          assert.equal(event.type, deleted ? "delete" : "put");
          assert.equal(event.value, deleted ? undefined : text(record.value));
          if (!options.previous) assert.equal(event.previous, undefined);
          else assert.equal(event.previous?.value, previous && text(previous.value));
        }
        return seen.length;
      }
      for (let turns = random(8); turns > 0; turns--) await null;
      let value;
      try {
        pending ??= it.next();
        ({ value } = await Promise.race([pending, until.tick()]));
      } catch (error) {
        assert.equal(error.code, "COMPACTED");
        assert.ok(error.resumeFrom > 1 && error.resumeFrom <= world.compacted + 1);
        return 0;
      }
      if (value === "over") continue;
      pending = undefined;
      if (value.type === "progress") {
        assert.ok(value.revision > marked, "marks rise");
        marked = value.revision;
        const told = expected().filter(({ record }) => record.modRevision <= marked);
        assert.ok(seen.length >= told.length, "a mark comes after what it covers");
        continue;
      }
      assert.ok(value.modRevision > marked, "nothing comes after a mark that covers it");
      seen.push(value);
    }
  } finally {
    it.close();
  }
}

test("each watch tells of what happened to its keys, in order and once", async (t) => {
  let [told, forgotten] = [0, 0];
  for (let seed = 1; seed <= 150; seed++) {
    await t.test(`seed ${seed}`, async () => {
      const random = numbers(seed);
      const world = new World(random);
      const all = new hub.WatchHub(world.ask);
      // Once all is done, those who wait look now and then whether they have all.
      const later = () => new Promise((resolve) => setTimeout(resolve, 2, { value: "over" }));
      const until = { done: false, tick: () => (until.done ? later() : until.end) };
      let end;
      until.end = new Promise((resolve) => {
        end = () => resolve({ value: "over" });
      });
      for (let before = random(6); before > 0; before--) world.change(1 + random(4));
      const watches = [];
      for (let step = 0; step < 40; step++) {
        for (let turns = random(10); turns > 0; turns--) await null;
        if (random(3) === 0) watches.push(follow(world, all, until));
        else world.change(1 + random(8));
        if (seed % 3 === 0 && random(12) === 0) {
          world.compacted = Math.max(world.compacted, world.revision - random(6));
        }
      }
      until.done = true;
      end();
      let timer;
      const late = new Promise((_, reject) => {
        timer = setTimeout(reject, 20_000, new Error("somebody waits for ever"));
      });
      const counts = await Promise.race([Promise.all(watches), late]);
      clearTimeout(timer);
      told += counts.reduce((sum, count) => sum + count, 0);
      forgotten += counts.filter((count) => count === 0).length;
    });
  }
  assert.ok(told > 1_000 && forgotten > 10, `${told} events, ${forgotten} watches without one`);
});

test("a watch that is full asks for no more than it can need", async () => {
  const limits = [];
  let answer;
  const change = (revision) => ({
    deleted: false,
    record: {
      key: utf8.encode("a"),
      value: utf8.encode("v"),
      createRevision: 1,
      modRevision: revision,
      version: revision,
      lease: 0,
    },
  });
  const all = new hub.WatchHub((query, { signal }) => {
    limits.push(decode(query).limit);
    return new Promise((resolve, reject) => {
      answer = (revision) =>
        resolve({ type: "changes", revision, next: revision + 1, events: [change(revision)] });
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  });
  const full = watch.openWatch(all, codec.utf8, "a", { buffer: 2, from: 1 });
  for (const revision of [1, 2]) {
    await new Promise(setImmediate);
    answer(revision);
  }
  await new Promise(setImmediate);
  assert.deepEqual(limits, [2, 1, 1]);
  full.close();
});
