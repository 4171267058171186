// The words of the script: operations of etcd, under etcd's names, as data.
//
// Keys and values are strings of which each character is a byte. Revisions count from the beginning of the scene: the first
// change in it is revision 1, and 0 is none. Leases and watches have names. `key` alone is one key; with a `range_end` it is
// the keys from `key` up to but without it, and "\0" as the end stands for no end.

/** Some steps on an empty store, told from its revision. */
export const scene = (title, ...steps) => ({ title, steps: steps.flat() });

/** The revision that the scene begins with, as the server has it. */
export const first = () => ({ op: "first" });

export const put = (key, value, options) => ({ op: "put", key, value, ...options });
export const range = (key, range_end, options) => ({ op: "range", key, range_end, ...options });
export const remove = (key, range_end, options) => ({ op: "delete", key, range_end, ...options });
export const txn = (compare, success, failure) => ({ op: "txn", compare, success, failure });
export const compact = (revision) => ({ op: "compact", revision });

export const grant = (lease, ttl, id) => ({ op: "grant", lease, ttl, id });
export const keepAlive = (lease) => ({ op: "keepAlive", lease });
export const revoke = (lease) => ({ op: "revoke", lease });
export const timeToLive = (lease, options) => ({ op: "timeToLive", lease, ...options });
export const leases = () => ({ op: "leases" });

export const watch = (watch, key, range_end, options) => ({
  op: "watch",
  watch,
  key,
  range_end,
  ...options,
});
/** Takes so many events of a watch, however long they take to come. */
export const events = (watch, count) => ({ op: "events", watch, count });
export const cancel = (watch) => ({ op: "cancel", watch });

/** A condition of a transaction on what `target` names, in lower case. */
export const when = (key, target, result, value, range_end) => ({
  key,
  range_end,
  target,
  result,
  [target]: value,
});

/** The end of the range of a prefix. */
export const prefixEnd = (prefix) => {
  const kept = prefix.replace(/\xff+$/, "");
  if (kept === "") return "\0";
  return kept.slice(0, -1) + String.fromCharCode(kept.charCodeAt(kept.length - 1) + 1);
};

/** The range of a prefix. */
export const prefix = (key, options) => range(key, prefixEnd(key), options);

/** All keys. */
export const all = (options) => range("\0", "\0", options);

/** A step at which Quorate answers otherwise, in the way of `differences.mjs` of this name: with `ours`, if that is given. */
export const differs = (differs, step, ours) => ({ ...step, differs, ours });
