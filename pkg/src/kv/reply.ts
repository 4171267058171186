/** What the machine replied: what was asked for, a refusal in the package's words, or nonsense. */

import { type ErrorCode, type ErrorDetails, type QuorateError, quorateError } from "../errors.js";
import { MAX_KEY_BYTES, MAX_TTL_MS, MAX_TXN_OPERATIONS, MAX_VALUE_BYTES } from "../limits.js";
import { decodeReply, type Reply } from "./wire.js";

/** By the number of the core's code. */
const REFUSALS: readonly (readonly [ErrorCode, string])[] = [
  ["INVALID_ARGUMENT", "the nodes do not know this command; they may run an older version"],
  ["INVALID_ARGUMENT", "a key must not be empty"],
  ["KEY_TOO_LARGE", `keys have at most ${MAX_KEY_BYTES} bytes`],
  ["VALUE_TOO_LARGE", `values have at most ${MAX_VALUE_BYTES} bytes`],
  ["NOT_AN_INTEGER", "the value is no integer in decimal digits"],
  ["OVERFLOW", "the sum would leave the range of 64-bit integers"],
  ["DUPLICATE_KEY", "a transaction changes each key only once"],
  ["COMPACTED", "this revision is no longer kept; ask for a later one"],
  ["FUTURE_REVISION", "the store has no such revision yet"],
  ["KEY_NOT_FOUND", "there is no such key"],
  [
    "TOO_MANY_OPERATIONS",
    `a transaction has at most ${MAX_TXN_OPERATIONS} conditions, and as many operations in a branch`,
  ],
  ["REPLY_TOO_LARGE", "the answer would exceed 2 MiB; ask for less at a time"],
  ["LEASE_NOT_FOUND", "there is no such lease, or no longer"],
  ["LEASE_EXISTS", "there is a lease with this id already"],
  ["BAD_LEASE", `a lease lives 1 to ${MAX_TTL_MS} ms, and its id is at most 2^53 - 1`],
];

/** The error of an answer that makes no sense. */
export function unexpected(cause?: unknown): QuorateError {
  return quorateError("NODE_PANICKED", "a node answered what was not asked", {
    outcome: "unknown",
    cause,
  });
}

/** The error of a refusal: nothing changed. */
export function refusal(number: number, details: ErrorDetails = {}): QuorateError {
  const [code, message] = REFUSALS[number - 1] ?? [
    "INVALID_ARGUMENT",
    `the nodes refuse this for a reason of a newer version (${number})`,
  ];
  return quorateError(code, message, { outcome: "not-applied", ...details });
}

/** A reply; a refusal is thrown. */
export function replyOf(bytes: Uint8Array): Reply {
  let reply: Reply;
  try {
    reply = decodeReply(bytes);
  } catch (error) {
    throw unexpected(error);
  }
  if (reply.type === "failed") throw refusal(reply.code);
  return reply;
}

/** A reply of the type that was asked for. */
export function expect<T extends Reply["type"]>(
  reply: Reply,
  type: T,
): Reply & { readonly type: T } {
  if (reply.type !== type) throw unexpected();
  return reply as Reply & { readonly type: T };
}
