// In which ways Quorate answers otherwise than etcd. Each has a row in `docs/coming-from-etcd.md`, with its reason; a step of the
// script names the way in which its answers differ, and one that names a way in which they do not differ fails.

/** etcd's errors (as its clients name them), and the codes of ours that say the same. */
export const ERRORS = {
  ErrEmptyKey: "INVALID_ARGUMENT",
  ErrKeyNotFound: "KEY_NOT_FOUND",
  ErrTooManyOps: "TOO_MANY_OPERATIONS",
  ErrDuplicateKey: "DUPLICATE_KEY",
  ErrCompacted: "COMPACTED",
  ErrFutureRev: "FUTURE_REVISION",
  ErrLeaseNotFound: "LEASE_NOT_FOUND",
  ErrLeaseExist: "LEASE_EXISTS",
  ErrLeaseTTLTooLarge: "INVALID_ARGUMENT",
  ErrRequestTooLarge: "VALUE_TOO_LARGE",
  ErrEmptyWatcherRange: "INVALID_ARGUMENT",
};

const refused = (error) => () => ({ error });

/**
 * What ours answers in place of etcd's answer, whose error is already in our words. Where that depends on the step, the step says it.
 */
export const DIFFERENCES = {
  "first-revision": ({ revision }) => ({ revision: revision - 1 }),
  negative: refused("INVALID_ARGUMENT"),
  "size-limit": undefined,
  "request-limit": undefined,
  "answer-limit": (answer) => ({ ...answer, kvs: answer.kvs.slice(0, 1), more: true }),
  "txn-limit": refused("TOO_MANY_OPERATIONS"),
  "duplicate-key": undefined,
  "open-end": refused("DUPLICATE_KEY"),
  "nested-conditions": undefined,
  "event-order": ({ events }) => ({ events: events.toSorted(byRevisionAndKey) }),
  "watch-compacted": undefined,
  "empty-watch": refused("INVALID_ARGUMENT"),
  "empty-start": undefined,
  "keep-and-give": refused("no such call"),
  "unknown-lease": refused("LEASE_NOT_FOUND"),
  "least-ttl": undefined,
};

function byRevisionAndKey({ kv: one }, { kv: other }) {
  return one.mod - other.mod || (one.key < other.key ? -1 : 1);
}
