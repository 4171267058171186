// The script on etcd, by its own gateway from JSON to gRPC: every message is etcd's, no client is in between.

import { Frame, short, within } from "../frame.mjs";

/** What etcd says, and the name that its clients have for it. */
const ERRORS = {
  "key is not provided": "ErrEmptyKey",
  "key not found": "ErrKeyNotFound",
  "value is provided": "ErrValueProvided",
  "lease is provided": "ErrLeaseProvided",
  "too many operations in txn request": "ErrTooManyOps",
  "duplicate key given in txn request": "ErrDuplicateKey",
  "mvcc: required revision has been compacted": "ErrCompacted",
  "mvcc: required revision is a future revision": "ErrFutureRev",
  "requested lease not found": "ErrLeaseNotFound",
  "lease already exists": "ErrLeaseExist",
  "too large lease TTL": "ErrLeaseTTLTooLarge",
  "request is too large": "ErrRequestTooLarge",
  "mvcc: watcher range is empty": "ErrEmptyWatcherRange",
};

const base64 = (text) => (text === undefined ? undefined : btoa(text));
const text = (base64) => (base64 === undefined ? "" : atob(base64));
const number = (digits) => Number(digits ?? 0);

/** An adapter to the server that listens at `url`. It deletes all that the server has. */
export function etcdAdapter(url) {
  let frame = new Frame(0);

  const post = (path, body, signal = AbortSignal.timeout(20_000)) =>
    fetch(`${url}/v3/${path}`, { method: "POST", body: JSON.stringify(body), signal });

  async function call(path, body) {
    const response = await post(path, body);
    const said = await response.json();
    if (response.ok) return said.result ?? said;
    throw new Refusal(said.message);
  }

  const entry = ({ key, value, create_revision, mod_revision, version, lease }) =>
    frame.entry({
      key: text(key),
      value: text(value),
      create: number(create_revision),
      mod: number(mod_revision),
      version: number(version),
      // Ids stay the digits that they come in, for they exceed what a number holds. None is left out.
      lease: lease ?? 0,
    });
  const keys = ({ key, range_end }) => ({ key: base64(key), range_end: base64(range_end) });
  const leaseId = (name) => (name === undefined ? undefined : (frame.ids.get(name) ?? 987_654_321));

  const requests = {
    put: ({ key, value, lease, prev_kv, ignore_value, ignore_lease }) => ({
      key: base64(key),
      value: base64(value),
      lease: leaseId(lease),
      prev_kv,
      ignore_value,
      ignore_lease,
    }),
    range: ({ op, key, range_end, revision, ...options }) => {
      for (const of of ["min_mod", "max_mod", "min_create", "max_create"]) {
        const bound = options[`${of}_revision`];
        if (bound !== undefined) options[`${of}_revision`] = frame.absolute(bound);
      }
      return { ...keys({ key, range_end }), revision: frame.absolute(revision ?? 0), ...options };
    },
    delete: ({ key, range_end, prev_kv }) => ({ ...keys({ key, range_end }), prev_kv }),
    txn: ({ compare = [], success = [], failure = [] }) => ({
      compare: compare.map(condition),
      success: success.map(operation),
      failure: failure.map(operation),
    }),
  };

  function condition({ key, range_end, target, result, ...given }) {
    const field = { create: "create_revision", mod: "mod_revision" }[target] ?? target;
    const value = given[target];
    const wire = {
      value: base64,
      lease: (name) => (name === null ? 0 : leaseId(name)),
      create: (revision) => frame.absolute(revision),
      mod: (revision) => frame.absolute(revision),
      version: (version) => version,
    };
    return {
      ...keys({ key, range_end }),
      target: target.toUpperCase(),
      result,
      [field]: wire[target](value),
    };
  }

  function operation(step) {
    const field = step.op === "delete" ? "request_delete_range" : `request_${step.op}`;
    return { [field]: requests[step.op](step) };
  }

  // Answers without their headers, as they stand in transactions, too.
  const answers = {
    put: ({ prev_kv }, said) =>
      prev_kv ? { prev_kv: said.prev_kv ? entry(said.prev_kv) : null } : {},
    range: (_, { kvs = [], count, more = false }) => ({
      kvs: kvs.map(entry),
      count: number(count),
      more,
    }),
    delete: ({ prev_kv }, { deleted, prev_kvs = [] }) => ({
      deleted: number(deleted),
      ...(prev_kv ? { prev_kvs: prev_kvs.map(entry) } : {}),
    }),
    txn: ({ success = [], failure = [] }, { succeeded = false, responses = [] }) => ({
      succeeded,
      responses: responses.map((one, at) => {
        const step = (succeeded ? success : failure)[at];
        const field = step.op === "delete" ? "response_delete_range" : `response_${step.op}`;
        return { [step.op]: answers[step.op](step, one[field]) };
      }),
    }),
  };

  const paths = { put: "kv/put", range: "kv/range", delete: "kv/deleterange", txn: "kv/txn" };
  const keyValue = async (step) => {
    const said = await call(paths[step.op], requests[step.op](step));
    return {
      revision: frame.relative(number(said.header.revision)),
      ...answers[step.op](step, said),
    };
  };

  const verbs = {
    first: async () => ({ revision: frame.base }),
    put: keyValue,
    range: keyValue,
    delete: keyValue,
    txn: keyValue,
    async compact({ revision }) {
      await call("kv/compaction", { revision: frame.absolute(revision) });
      return {};
    },
    async grant({ lease, ttl, id }) {
      const { ID, TTL } = await call("lease/grant", { TTL: ttl, ID: id });
      frame.ids.set(lease, ID);
      return { ttl: number(TTL) };
    },
    async keepAlive({ lease }) {
      const { TTL } = await call("lease/keepalive", { ID: leaseId(lease) });
      return { ttl: number(TTL) };
    },
    async revoke({ lease }) {
      const { header } = await call("lease/revoke", { ID: leaseId(lease) });
      return { revision: frame.relative(number(header.revision)) };
    },
    async timeToLive({ lease, keys }) {
      const said = await call("lease/timetolive", { ID: leaseId(lease), keys });
      const [left, granted] = [number(said.TTL), number(said.grantedTTL)];
      return {
        granted,
        // A time of day is never the same twice.
        left: left < 0 ? "none" : left <= granted ? "some" : "more than granted",
        ...(keys ? { keys: (said.keys ?? []).map(text).map(short).sort() } : {}),
      };
    },
    async leases() {
      const { leases = [] } = await call("lease/leases", {});
      return { leases: leases.map(({ ID }) => frame.nameOf(ID)).sort() };
    },
    async watch({ watch, key, range_end, start_revision = 0, progress, ...options }) {
      const create = { ...keys({ key, range_end }), ...options };
      const requests = [
        { create_request: { ...create, start_revision: frame.absolute(start_revision) } },
        // A request for progress can only follow in the same stream, which the gateway reads to its end.
        ...(progress ? [{ progress_request: {} }] : []),
      ];
      const open = await Watching.open(url, requests);
      frame.watches.set(watch, { open, options });
      const { header, canceled, cancel_reason } = await open.next();
      if (canceled) throw new Refusal(cancel_reason);
      return { from: start_revision || frame.relative(number(header.revision)) + 1 };
    },
    async events({ watch, count }) {
      const { open, options } = frame.watches.get(watch);
      const told = [];
      while (told.length < count) told.push(event(await open.nextEvent(), options));
      return { events: told };
    },
    async cancel({ watch }) {
      frame.watches.get(watch).open.close();
      return {};
    },
  };

  function event(one, { prev_kv: wanted }) {
    if (one.canceled) {
      const compacted = frame.relative(number(one.compact_revision));
      return { canceled: "ErrCompacted", compacted };
    }
    if (one.progress) return { type: "progress", revision: frame.relative(one.progress) };
    return {
      type: one.type === "DELETE" ? "delete" : "put",
      kv: entry(one.kv),
      ...(wanted ? { prev_kv: one.prev_kv ? entry(one.prev_kv) : null } : {}),
    };
  }

  return {
    name: "etcd",
    /** Begins a scene, on an empty store. */
    async begin() {
      await this.end();
      const { leases = [] } = await call("lease/leases", {});
      for (const { ID } of leases) await call("lease/revoke", { ID });
      const every = { key: btoa("\0"), range_end: btoa("\0") };
      const { header } = await call("kv/deleterange", every);
      frame = new Frame(number(header.revision));
    },
    /** What etcd answers to a step; `error` if it refuses. */
    async perform(step) {
      try {
        return await verbs[step.op](step);
      } catch (error) {
        if (error instanceof Refusal) return { error: error.code };
        throw error;
      }
    },
    async end() {
      for (const { open } of frame.watches.values()) open.close();
    },
  };
}

/** An error that etcd answered. */
class Refusal extends Error {
  constructor(message) {
    super(message);
    const said = message.replace(/^etcdserver: /, "");
    // What is larger still does not reach etcd.
    const never = /^grpc: received message larger than max/.test(said) && "ErrRequestTooLarge";
    this.code = ERRORS[said] ?? (never || message);
  }
}

/** The stream of one watch. */
class Watching {
  #stop = new AbortController();
  #lines;
  #rest = [];

  static async open(url, requests) {
    const watching = new Watching();
    const body = requests.map((one) => JSON.stringify(one)).join("\n");
    const signal = watching.#stop.signal;
    const response = await fetch(`${url}/v3/watch`, { method: "POST", body, signal });
    watching.#lines = linesOf(response.body);
    return watching;
  }

  /** The next message. */
  async next() {
    const { value, done } = await within(this.#lines.next(), 20_000, "a message of a watch");
    if (done) throw new Error("etcd ended a watch");
    return JSON.parse(value).result;
  }

  /** The next event, or what a message without one says. */
  async nextEvent() {
    while (this.#rest.length === 0) {
      const message = await this.next();
      if (message.canceled) return message;
      if (message.events === undefined) return { progress: Number(message.header.revision) };
      this.#rest.push(...message.events);
    }
    return this.#rest.shift();
  }

  close() {
    this.#stop.abort();
  }
}

async function* linesOf(body) {
  let rest = "";
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    yield* lines.filter((line) => line !== "");
  }
}
