/**
 * What the core tells its observer, one number after the other: `crate/wasm/src/probe.rs` says it. A message is noted as
 * the sum of where it was seen and its tag on the wire (`docs/protocol.md`); all else has a number of its own.
 */

/** Where a message was seen. */
export const SENT = 0;
export const RECEIVED = 32;
export const LOST = 64;

/** An event was handled: when it came (ms), whether the node leads, last, commit and applied index. */
export const STEP = 96;
/** To be written: entries, index of the last one, snapshot chunks, index of the snapshot it completes, hard state. */
export const BATCH = 97;
/** A round of writes begins: records, bytes. */
export const WRITE = 98;
/** It is durable. */
export const WRITTEN = 99;
/** A client's frame: writes, linearizable reads, reads of the own state, watches. */
export const REQUESTS = 100;
/** Answers to a client: done, not the leader, leadership lost, overloaded, refused. */
export const REPLIES = 101;
/** Role, term or known leader changed: the role's place in `ROLES`, the term, the leader or 0. */
export const ROLE = 102;

export const ROLES = ["follower", "preCandidate", "candidate", "leader"] as const;

/** The kinds of messages, in the order of their tags, which begin with 1. */
export const MESSAGE_KINDS = [
  "preVote",
  "preVoteGranted",
  "preVoteRefused",
  "requestVote",
  "requestVoteTransfer",
  "voteGranted",
  "voteRefused",
  "append",
  "appendAccepted",
  "appendRejected",
  "heartbeat",
  "commitNotice",
  "heartbeatResponse",
  "snapshotChunk",
  "snapshotLastChunk",
  "snapshotContinue",
  "snapshotInstalled",
  "timeoutNow",
  "readIndex",
  "readIndexResponse",
  "digest",
  "sleep",
  "sleepResponse",
] as const;

export const TAG_HEARTBEAT = 11;
export const TAG_HEARTBEAT_RESPONSE = 13;
