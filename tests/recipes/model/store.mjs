// The store as a plain object: keys with revisions, leases, transactions, and a past. Keys and values are strings here.

const NOWHERE = { createRevision: 0, modRevision: 0, version: 0, lease: 0 };

export class Store {
  revision = 0;
  keys = new Map();
  leases = new Map();
  /** One for each revision that is kept: { revision, events }. */
  past = [];
  /** The oldest revision that can be read. */
  compacted = 0;
  #lastLease = 0;
  #fail;

  /** `fail(code)` throws the package's error. */
  constructor(fail) {
    this.#fail = fail;
  }

  /** Ends what is due. */
  tick(now) {
    for (const [id, { deadline }] of this.leases) if (deadline <= now) this.revoke(id);
  }

  /** Lease ids say nothing of their order. */
  grant(ttl, now, id = Math.imul(++this.#lastLease, 0x9e3779b1) >>> 0) {
    this.leases.set(id, { ttl, deadline: now + ttl });
    return id;
  }

  renew(id, now) {
    const lease = this.leases.get(id) ?? this.#fail("LEASE_NOT_FOUND");
    lease.deadline = now + lease.ttl;
    return lease.ttl;
  }

  revoke(id) {
    if (!this.leases.delete(id)) return;
    this.#change((draft) => {
      for (const [key, record] of draft.keys) if (record.lease === id) draft.remove(key);
    });
  }

  compact() {
    this.compacted = this.revision;
    this.past = this.past.filter(({ revision }) => revision > this.compacted);
  }

  /** One transaction; a single command is one, too. */
  txn(txn) {
    return this.#change((draft) => this.#branch(draft, txn));
  }

  range(options) {
    return { ...select(this.keys, options), revision: this.revision };
  }

  #branch(draft, txn) {
    const succeeded = (txn.if ?? []).every((condition) => holds(draft.keys, condition));
    const operations = (succeeded ? txn.do : txn.else) ?? [];
    return { succeeded, results: operations.map((it) => this.#operate(draft, it)) };
  }

  #operate(draft, operation) {
    if ("put" in operation) {
      const { put: key, value, lease = 0, previous } = operation;
      const before = draft.keys.get(key);
      if (lease === "keep" && before === undefined) this.#fail("KEY_NOT_FOUND");
      const hung = lease === "keep" ? before.lease : typeof lease === "object" ? lease.id : lease;
      if (hung !== 0 && !this.leases.has(hung)) this.#fail("LEASE_NOT_FOUND");
      draft.put(key, value, hung);
      return { type: "put", previous: previous ? (before ?? null) : undefined };
    }
    if ("get" in operation) return { type: "get", entry: draft.keys.get(operation.get) ?? null };
    if ("range" in operation) return { type: "range", ...select(draft.keys, operation.range) };
    if ("delete" in operation || "deleteRange" in operation) {
      const range =
        "delete" in operation
          ? { start: operation.delete, end: `${operation.delete}\0` }
          : operation.deleteRange;
      const { entries } = select(draft.keys, range);
      for (const { key } of entries) draft.remove(key);
      return {
        type: "delete",
        deleted: entries.length,
        previous: operation.previous ? entries : undefined,
      };
    }
    if ("increment" in operation) {
      const before = draft.keys.get(operation.increment);
      const value = Number(before?.value ?? "0") + (operation.by ?? 1);
      if (!Number.isSafeInteger(value)) this.#fail("NOT_AN_INTEGER");
      draft.put(operation.increment, String(value), before?.lease ?? 0);
      return { type: "increment", value };
    }
    if ("txn" in operation) return { type: "txn", ...this.#branch(draft, operation.txn) };
    throw new Error(`the model has no ${JSON.stringify(operation)}`);
  }

  /** All or nothing, by one revision, which is only a new one if something changed. */
  #change(work) {
    const draft = new Draft(new Map(this.keys), this.revision + 1);
    const answer = work(draft);
    if (draft.changed.size > 0) {
      const events = [...draft.changed].sort().map((key) => {
        const record = draft.keys.get(key);
        return record === undefined
          ? { type: "delete", key, ...NOWHERE, modRevision: draft.revision }
          : { type: "put", key, ...record };
      });
      this.revision = draft.revision;
      this.keys = draft.keys;
      this.past.push({ revision: this.revision, events });
    }
    return { ...answer, revision: this.revision };
  }
}

class Draft {
  changed = new Set();

  constructor(keys, revision) {
    this.keys = keys;
    this.revision = revision;
  }

  put(key, value, lease) {
    const { createRevision = this.revision, version = 0 } = this.keys.get(key) ?? {};
    this.changed.add(key);
    this.keys.set(key, {
      value,
      createRevision,
      modRevision: this.revision,
      version: version + 1,
      lease,
    });
  }

  remove(key) {
    this.changed.add(key);
    this.keys.delete(key);
  }
}

/** Whether a key is in a range. */
export function within(key, { prefix = "", start = "", end }) {
  return key.startsWith(prefix) && key >= start && (end === undefined || key < end);
}

/** How many keys of a range fit into one answer. */
const ANSWER = 1000;

function select(keys, options) {
  const { limit = ANSWER, orderBy = "key", descending = false, only = "entries" } = options;
  const { minCreateRevision = 0, maxCreateRevision = Infinity } = options;
  const { minModRevision = 0, maxModRevision = Infinity } = options;
  const all = [...keys].filter(([key]) => within(key, options)).sort(compare);
  const wanted = all
    .map(([key, record]) => ({ key, ...record }))
    .filter(
      ({ createRevision, modRevision }) =>
        createRevision >= minCreateRevision &&
        createRevision <= maxCreateRevision &&
        modRevision >= minModRevision &&
        modRevision <= maxModRevision,
    );
  if (orderBy !== "key") {
    wanted.sort((a, b) => (a[orderBy] < b[orderBy] ? -1 : a[orderBy] > b[orderBy] ? 1 : 0));
  }
  if (descending) wanted.reverse();
  const most = Math.min(limit, ANSWER);
  const entries = only === "count" ? [] : wanted.slice(0, most);
  const rest = only === "count" ? undefined : wanted[most]?.key;
  return {
    entries: only === "keys" ? entries.map((it) => ({ ...it, value: undefined })) : entries,
    count: all.length,
    next: orderBy === "key" && !descending ? rest : undefined,
  };
}

const compare = ([a], [b]) => (a < b ? -1 : 1);

function holds(keys, condition) {
  const { key, is = "=" } = condition;
  const range = key === undefined ? condition : { start: key, end: `${key}\0` };
  const { entries } = select(keys, range);
  const records = entries.length === 0 ? [NOWHERE] : entries;
  const field = ["version", "createRevision", "modRevision", "lease", "value"].find(
    (name) => name in condition,
  );
  return records.every(({ [field]: actual }) => {
    if (actual === undefined) return false;
    const wanted = condition[field];
    if (is === "=") return actual === wanted;
    if (is === "!=") return actual !== wanted;
    return is === "<" ? actual < wanted : actual > wanted;
  });
}
