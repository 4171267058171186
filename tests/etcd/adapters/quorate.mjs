// The script on Quorate: etcd's requests in the words of the public store. It runs wherever the package does.

import { Frame, short, within } from "../frame.mjs";
import { prefixEnd } from "../terms.mjs";

const bytes = (text) => {
  const all = new Uint8Array(text.length);
  for (let at = 0; at < all.length; at += 1) all[at] = text.charCodeAt(at);
  return all;
};
const text = (bytes = new Uint8Array()) => {
  let all = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    all += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return all;
};

const ORDERS = {
  KEY: "key",
  VERSION: "version",
  CREATE: "createRevision",
  MOD: "modRevision",
  VALUE: "value",
};
const RELATIONS = { EQUAL: "=", NOT_EQUAL: "!=", GREATER: ">", LESS: "<" };

/** What `get` can be told. */
const PLAIN = ["op", "key", "serializable"];

/** An id that no lease has. */
const UNKNOWN_LEASE = 987_654_321;

/** etcd asks for something that no call of ours means. */
class Wordless extends Error {}

/** An adapter to a store, which it empties. `QuorateError` is the package's. */
export function quorateAdapter(store, QuorateError) {
  const kv = store.as("bytes");
  let frame = new Frame(0);
  /** The revision of the last write: who asks one node alone waits until that has come there. */
  let written = 0;
  /** The leases of the scene. */
  const held = [];

  const tell = ({ key, value, createRevision, modRevision, version, lease }) =>
    frame.entry({
      key: text(key),
      value: text(value),
      create: createRevision,
      mod: modRevision,
      version,
      lease,
    });
  const entry = (given) => tell({ ...given, key: given.keyBytes });
  const previous = (key, was) => (was === null ? null : tell({ ...was, key: bytes(key) }));
  const leaseId = (name) => frame.ids.get(name) ?? UNKNOWN_LEASE;
  const leaseOf = (name) => (name === undefined ? {} : { lease: leaseId(name) });

  /** Which keys. */
  function selection({ key, range_end }) {
    if (range_end === undefined) return { start: bytes(key), end: bytes(`${key}\0`) };
    if (range_end === "\0") return key === "\0" ? { prefix: "" } : { start: bytes(key) };
    if (key !== "" && range_end === prefixEnd(key)) return { prefix: bytes(key) };
    return { start: bytes(key), end: bytes(range_end) };
  }

  function rangeOptions(step) {
    const only = step.count_only ? "count" : step.keys_only ? "keys" : undefined;
    const options = {
      ...selection(step),
      limit: step.limit || undefined,
      only,
      orderBy: ORDERS[step.sort_target],
      descending: step.sort_order === "DESCEND" || undefined,
      minModRevision: revision(step.min_mod_revision),
      maxModRevision: revision(step.max_mod_revision),
      minCreateRevision: revision(step.min_create_revision),
      maxCreateRevision: revision(step.max_create_revision),
    };
    return without(options);
  }

  /** Whether one key is asked for, whatever revision of it. */
  const isPlain = (step) =>
    step.range_end === undefined &&
    Object.keys(without(step)).every((name) => PLAIN.includes(name));

  const revision = (given) => (given ? frame.absolute(given) : undefined);

  /** The range of one key, as `get` has it. */
  const only = (key, entry) => {
    const entries = entry === null ? [] : [{ keyBytes: bytes(key), ...entry }];
    return { entries, count: entries.length, more: false };
  };
  const ranged = ({ entries, count, more }) => ({ kvs: entries.map(entry), count, more });

  /** What a removal took away; `was` is there if asked for. */
  const removed = ({ prev_kv }, deleted, was) => ({
    deleted,
    ...(prev_kv ? { prev_kvs: was.map(entry) } : {}),
  });

  /** The operations of ours that do what one of etcd's does, and what their results say. */
  function operations(step) {
    switch (step.op) {
      case "put":
        return putOperations(step);
      case "range": {
        if (isPlain(step)) {
          const answer = ([{ entry }]) => ranged(only(step.key, entry));
          return { operations: [{ get: bytes(step.key) }], answer };
        }
        const operation = without({ range: rangeOptions(step), revision: revision(step.revision) });
        return { operations: [operation], answer: ([result]) => ranged(result) };
      }
      case "delete": {
        const { key, range_end, prev_kv } = step;
        const operation =
          range_end === undefined ? { delete: bytes(key) } : { deleteRange: selection(step) };
        return {
          operations: [without({ ...operation, previous: prev_kv })],
          answer: ([{ deleted, previous }]) => removed(step, deleted, previous),
        };
      }
      case "txn": {
        const { txn, answer } = transaction(step);
        return { operations: [{ txn }], answer: ([result]) => answer(result) };
      }
    }
  }

  function putOperations({ key, value, lease, prev_kv, ignore_value, ignore_lease }) {
    if ((ignore_value && value !== undefined) || (ignore_lease && lease !== undefined)) {
      throw new Wordless("what is kept cannot be given");
    }
    const put = bytes(key);
    const answer = (was) => (prev_kv ? { prev_kv: previous(key, was) } : {});
    if (!ignore_value) {
      const kept = ignore_lease ? { lease: "keep" } : leaseOf(lease);
      return {
        operations: [without({ put, value: bytes(value), ...kept, previous: prev_kv })],
        answer: ([{ previous }]) => answer(previous),
      };
    }
    // What keeps the value gives nothing back: the entry is read before.
    const change = ignore_lease
      ? { append: put, value: new Uint8Array() }
      : { attach: put, lease: lease === undefined ? 0 : leaseId(lease) };
    return {
      operations: [{ get: put }, change],
      answer: ([{ entry }]) => answer(entry),
    };
  }

  function condition({ key, range_end, target, result, ...given }) {
    const where = range_end === undefined ? { key: bytes(key) } : selection({ key, range_end });
    const is = RELATIONS[result];
    const value = given[target];
    switch (target) {
      case "version":
        return { ...where, is, version: value };
      case "create":
        return { ...where, is, createRevision: frame.absolute(value) };
      case "mod":
        return { ...where, is, modRevision: frame.absolute(value) };
      case "lease":
        return { ...where, is, lease: value === null ? 0 : leaseId(value) };
      default:
        return { ...where, is, value: bytes(value) };
    }
  }

  /** A transaction of ours, and what its result says in etcd's words. */
  function transaction({ compare = [], success = [], failure = [] }) {
    const branch = (steps) => {
      const parts = steps.map(operations);
      return { operations: parts.flatMap(({ operations }) => operations), parts, steps };
    };
    const branches = { do: branch(success), else: branch(failure) };
    return {
      txn: {
        if: compare.map(condition),
        do: branches.do.operations,
        else: branches.else.operations,
      },
      answer({ succeeded, results }) {
        const { parts, steps } = succeeded ? branches.do : branches.else;
        let at = 0;
        const responses = parts.map(({ operations, answer }, which) => {
          const own = results.slice(at, at + operations.length);
          at += operations.length;
          return { [steps[which].op]: answer(own) };
        });
        return { succeeded, responses };
      },
    };
  }

  /** Notes the revision of a write, and tells it. */
  function wrote(revision) {
    written = Math.max(written, revision);
    return frame.relative(revision);
  }

  const verbs = {
    first: async () => ({ revision: frame.base }),
    async put(step) {
      const { key, value, lease, prev_kv, ignore_value, ignore_lease } = step;
      const { operations, answer } = putOperations(step);
      if (ignore_value && ignore_lease) {
        // An append of nothing would create the key.
        const exists = { key: bytes(key), is: ">", version: 0 };
        const { succeeded, revision, results } = await kv.txn({ if: [exists], do: operations });
        if (!succeeded) return { error: "KEY_NOT_FOUND" };
        return { revision: wrote(revision), ...answer(results) };
      }
      if (ignore_value && prev_kv) {
        const { revision, results } = await kv.txn({ do: operations });
        return { revision: wrote(revision), ...answer(results) };
      }
      if (ignore_value) {
        const { revision } = await kv.attach(bytes(key), lease === undefined ? 0 : leaseId(lease));
        return { revision: wrote(revision) };
      }
      const kept = ignore_lease ? { lease: "keep" } : leaseOf(lease);
      const options = without({ ...kept, previous: prev_kv });
      const result = await kv.put(bytes(key), bytes(value), options);
      return { revision: wrote(result.revision), ...answer([result]) };
    },
    async range(step) {
      const options = without({
        revision: revision(step.revision),
        serializable: step.serializable,
      });
      // `get` must say the same of one key as `range`; it does not tell the revision.
      const isOne = isPlain({ ...step, revision: undefined });
      const one = isOne ? await kv.get(bytes(step.key), options) : null;
      const range = rangeOptions(step);
      const result = await upToDate(() => kv.range(range, options), step.serializable);
      const answer = ranged(result);
      if (isOne && JSON.stringify(answer) !== JSON.stringify(ranged(only(step.key, one)))) {
        return { range: answer, get: one };
      }
      return { revision: frame.relative(result.revision), ...answer };
    },
    async delete(step) {
      const options = without({ previous: step.prev_kv });
      if (step.range_end !== undefined) {
        const { deleted, revision, previous } = await kv.deleteRange(selection(step), options);
        return { revision: wrote(revision), ...removed(step, deleted, previous) };
      }
      const key = bytes(step.key);
      const { deleted, revision, previous } = await kv.delete(key, options);
      const was = previous && [{ keyBytes: key, ...previous }];
      return { revision: wrote(revision), ...removed(step, deleted ? 1 : 0, was ?? []) };
    },
    async txn(step) {
      const { txn, answer } = transaction(step);
      const { revision, ...result } = await kv.txn(txn);
      return { revision: wrote(revision), ...answer(result) };
    },
    async compact({ revision }) {
      await kv.compact(frame.absolute(revision));
      return {};
    },
    async grant({ lease, ttl, id }) {
      const made = await kv.lease(without({ ttl: ttl * 1000, id, keepAlive: false }));
      frame.ids.set(lease, made.id);
      held.push(made);
      return { ttl: made.ttl / 1000 };
    },
    async keepAlive({ lease }) {
      return { ttl: Math.ceil((await kv.renewLease(leaseId(lease))) / 1000) };
    },
    async revoke({ lease }) {
      const { revision } = await kv.revokeLease(leaseId(lease));
      return { revision: wrote(revision) };
    },
    async timeToLive({ lease, keys }) {
      const status = await kv.leaseStatus(leaseId(lease), without({ keys }));
      return {
        granted: status.ttl / 1000,
        left: status.remaining <= status.ttl ? "some" : "more than granted",
        ...(keys ? { keys: status.keys.map(text).map(short).sort() } : {}),
      };
    },
    async leases() {
      return { leases: (await kv.leases()).map((id) => frame.nameOf(id)).sort() };
    },
    async watch({ watch, key, range_end, start_revision, progress, prev_kv, filters = [] }) {
      const kinds = { NODELETE: "put", NOPUT: "delete" };
      const options = without({
        from: revision(start_revision),
        previous: prev_kv,
        only: kinds[filters[0]],
        progress,
      });
      const which = range_end === undefined ? bytes(key) : selection({ key, range_end });
      const open = kv.watch(which, options);
      frame.watches.set(watch, open);
      // Of one that begins in the past the events tell whether that is kept, as they do in etcd.
      if (start_revision) return { from: start_revision };
      return { from: frame.relative(await within(open.ready, 20_000, "a watch")) };
    },
    async events({ watch, count }) {
      const open = frame.watches.get(watch);
      const told = [];
      while (told.length < count) {
        const { value, done } = await within(open.next(), 60_000, "an event");
        if (done) throw new Error("a watch ended");
        told.push(event(value));
      }
      return { events: told };
    },
    async cancel({ watch }) {
      frame.watches.get(watch).close();
      return {};
    },
  };

  function event({ type, revision, previous: was, keyBytes, ...rest }) {
    if (type === "progress") return { type, revision: frame.relative(revision) };
    return {
      type,
      kv: tell({ ...rest, key: keyBytes }),
      ...(was === undefined ? {} : { prev_kv: previous(text(keyBytes), was) }),
    };
  }

  /** A node alone may be behind the others: asks until it has what was written. */
  async function upToDate(read, serializable) {
    for (const end = Date.now() + 20_000; ; ) {
      const result = await read();
      if (!serializable || result.revision >= written || Date.now() > end) return result;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  return {
    name: "Quorate",
    /** Begins a scene, on an empty store. */
    async begin() {
      await this.end();
      const { revision } = await kv.deleteRange({ prefix: "" });
      frame = new Frame(revision);
      written = revision;
    },
    /** What Quorate answers to a step; `error` if it refuses. */
    async perform(step) {
      try {
        return await verbs[step.op](step);
      } catch (error) {
        if (error instanceof Wordless) return { error: "no such call" };
        if (!(error instanceof QuorateError)) throw error;
        const { code, resumeFrom } = error;
        return {
          error: code,
          ...(resumeFrom === undefined ? {} : { resumeFrom: frame.relative(resumeFrom) }),
        };
      }
    },
    async end() {
      for (const open of frame.watches.values()) open.close();
      for (const lease of held.splice(0)) await lease.revoke();
    },
  };
}

/** The options that are given: ours may not be undefined. */
const without = (options) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
