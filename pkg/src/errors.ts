/**
 * Every error of the package: a class, a stable `code`, a sentence, and whether trying again can help.
 * `docs/errors.md` says for each code what to do next.
 */

import type { Thrown } from "./machine/types.js";
import type { JobCode } from "./mapreduce/errors.js";
import type { ShardCode } from "./shards/errors.js";

/** What can have become of a write whose call failed. */
export type Outcome =
  /** It has not taken effect and never will. */
  | "not-applied"
  /** It may have taken effect, or may still do so. */
  | "unknown"
  /** It has taken effect, but its answer cannot be given. */
  | "applied";

/** One row for each code: its class, and whether the same call can succeed later by itself. */
const CODES = {
  BAD_LEASE: ["argument", false],
  DUPLICATE_KEY: ["argument", false],
  ENCODING: ["argument", false],
  INVALID_ARGUMENT: ["argument", false],
  INVALID_OPTION: ["argument", false],
  KEY_TOO_LARGE: ["argument", false],
  NOT_AN_INTEGER: ["argument", false],
  NUMBER_TOO_LARGE: ["argument", false],
  OVERFLOW: ["argument", false],
  REPLY_TOO_LARGE: ["argument", false],
  NO_MACHINE: ["argument", false],
  NO_STORE: ["argument", false],
  TOO_MANY_OPERATIONS: ["argument", false],
  VALUE_TOO_LARGE: ["argument", false],
  COMPACTED: ["store", false],
  FUTURE_REVISION: ["store", true],
  KEY_NOT_FOUND: ["store", false],
  LEADERSHIP_LOST: ["store", false],
  LEASE_EXISTS: ["store", false],
  LEASE_LOST: ["store", false],
  LEASE_NOT_FOUND: ["store", false],
  LOCK_LOST: ["store", false],
  QUEUE_FULL: ["store", true],
  STORE_NOT_EMPTY: ["store", false],
  ABORTED: ["call", false],
  CLOSED: ["call", false],
  ALREADY_MEMBER: ["member", false],
  LEADER_NOT_READY: ["member", true],
  MEMBERSHIP_PENDING: ["member", true],
  NO_VOTER_LEFT: ["member", false],
  NOT_LEADER: ["member", true],
  TOO_MANY_MEMBERS: ["member", false],
  TRANSFER_PENDING: ["member", true],
  UNKNOWN_MEMBER: ["member", false],
  NO_QUORUM: ["call", true],
  QUORUM_LOST: ["call", false],
  SESSION_EXPIRED: ["call", true],
  TIMEOUT: ["call", true],
  TOO_MANY_CALLS: ["call", true],
  BAD_ENTRY: ["node", false],
  BAD_SNAPSHOT: ["node", false],
  CLIENT_PANICKED: ["node", false],
  DIVERGED: ["node", false],
  NODE_HALTED: ["node", false],
  NODE_KILLED: ["node", false],
  NODE_PANICKED: ["node", false],
  TRANSPORT_FAILED: ["node", true],
  WORKER_FAILED: ["node", true],
  QUOTA_EXCEEDED: ["storage", false],
  STORAGE_BLOCKED: ["storage", true],
  STORAGE_CORRUPT: ["storage", false],
  STORAGE_FENCED: ["storage", false],
  STORAGE_FOREIGN: ["storage", false],
  STORAGE_LOCKED: ["storage", true],
  STORAGE_LOST: ["storage", false],
  STORAGE_READ_FAILED: ["storage", true],
  STORAGE_TAKEN_AWAY: ["storage", true],
  STORAGE_UNAVAILABLE: ["storage", false],
  STORAGE_VERSION: ["storage", false],
  STORAGE_WRITE_FAILED: ["storage", false],
  NO_CLUSTER: ["storage", false],
  BACKUP_CORRUPT: ["backup", false],
  BACKUP_READ_FAILED: ["backup", true],
  BACKUP_VERSION: ["backup", false],
  MACHINE_FAILED: ["machine", false],
  MACHINE_INVALID: ["machine", false],
  MACHINE_LOAD: ["machine", false],
  MACHINE_MISMATCH: ["machine", false],
  MACHINE_REPLY: ["machine", false],
  MACHINE_THREW: ["machine", false],
  WASM_LOAD: ["load", false],
} as const;

/** The stable names of all errors. */
export type ErrorCode = keyof typeof CODES | ShardCode | JobCode;

/** What is known of a code. */
export type CodeRow = readonly [kind: (typeof CODES)[keyof typeof CODES][0], retryable: boolean];

type Rows = Readonly<Record<string, CodeRow>>;

/** Makes the codes of a part of the package known that not everybody loads. */
export function addCodes(codes: Rows): void {
  Object.assign(CODES, codes);
}

/** What an error may carry beside its sentence. */
export interface ErrorDetails {
  /** What went wrong underneath. */
  readonly cause?: unknown;
  /** For failed calls: what can have become of the write. */
  readonly outcome?: Outcome | undefined;
  /** The node concerned. */
  readonly node?: number | undefined;
  /** The damaged place: a record's key, a file and offset, or the index of a log entry. */
  readonly place?: string | undefined;
  /** For `COMPACTED` watches: the first revision from which changes are still kept. */
  readonly resumeFrom?: number | undefined;
  /** For `MACHINE_THREW`: what a machine of one's own threw. */
  readonly thrown?: Thrown | undefined;
}

/** Any error of the package. `instanceof` tells it from others, `code` says which one it is. */
export class QuorateError extends Error {
  /** The name of its class, also where classes cannot be compared. */
  override readonly name: string = "QuorateError";
  /** Stable: program against this, not against the sentence. */
  readonly code: ErrorCode;
  /** Whether the same call can succeed later without a change by the caller. */
  readonly retryable: boolean;
  /** For failed calls: what can have become of the write. */
  readonly outcome: Outcome | undefined;
  /** The node concerned. */
  readonly node: number | undefined;
  /** The damaged place: a record's key, a file and offset, or the index of a log entry. */
  readonly place: string | undefined;
  /** For `COMPACTED` watches: the first revision from which changes are still kept. */
  readonly resumeFrom: number | undefined;

  /** Made by the package. Whether it can be retried follows from the code. */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retryable = ((CODES as Rows)[code] as CodeRow)[1];
    this.outcome = details.outcome;
    this.node = details.node;
    this.place = details.place;
    this.resumeFrom = details.resumeFrom;
  }
}

/** The caller gave something unusable; nothing was done. */
export class ArgumentError extends QuorateError {
  override readonly name = "ArgumentError";
}

/** A call ended without an answer: by its deadline, its signal, or the cluster's end. */
export class CallError extends QuorateError {
  override readonly name: string = "CallError";
}

/** A write ended without an answer, and may have taken effect, or may yet: its `outcome` is `"unknown"`. */
export class UnknownOutcomeError extends CallError {
  override readonly name = "UnknownOutcomeError";
}

/** What a call rests on is not in the store, or not any more; nothing changed. */
export class StoreError extends QuorateError {
  override readonly name = "StoreError";
}

/** The membership, or who leads, cannot be changed like that, or not now; nothing changed. */
export class MembershipError extends QuorateError {
  override readonly name = "MembershipError";
}

/** A node is not there: killed, halted, panicked, or its worker failed. */
export class NodeError extends QuorateError {
  override readonly name = "NodeError";
}

/** Storage cannot be opened, read or written. */
export class StorageError extends QuorateError {
  override readonly name = "StorageError";
}

/** A backup cannot be read, or is damaged. */
export class BackupError extends QuorateError {
  override readonly name = "BackupError";
}

/** A state machine of one's own: it is none, it does not belong to this storage, or it refused. */
export class MachineError extends QuorateError {
  override readonly name = "MachineError";
  /** For `MACHINE_THREW`: what it threw. */
  readonly thrown: Thrown | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
    this.thrown = details.thrown;
  }
}

/** The WebAssembly cannot be loaded, or the platform lacks something that is needed. */
export class LoadError extends QuorateError {
  override readonly name = "LoadError";
}

/** The error of a code, in the code's class. */
export function quorateError(
  code: ErrorCode,
  message: string,
  details?: ErrorDetails,
): QuorateError {
  switch (((CODES as Rows)[code] as CodeRow)[0]) {
    case "argument":
      return new ArgumentError(code, message, details);
    case "call":
      return details?.outcome === "unknown"
        ? new UnknownOutcomeError(code, message, details)
        : new CallError(code, message, details);
    case "store":
      return new StoreError(code, message, details);
    case "member":
      return new MembershipError(code, message, details);
    case "node":
      return new NodeError(code, message, details);
    case "storage":
      return new StorageError(code, message, details);
    case "backup":
      return new BackupError(code, message, details);
    case "machine":
      return new MachineError(code, message, details);
    case "load":
      return new LoadError(code, message, details);
  }
}

/** The same error, which says this of the write. */
export function withOutcome(error: QuorateError, outcome: Outcome): QuorateError {
  const { code, message, cause, node, place, resumeFrom } = error;
  return quorateError(code, message, { cause, outcome, node, place, resumeFrom });
}

/** An error as it crosses a port, where structured clone would keep only name and message. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly place?: string;
  /** Where it is known what became of what was asked. */
  readonly outcome?: Outcome;
}

/** Reduces anything thrown to what can cross a port. Errors without a code of ours get `fallback`. */
export function toPlain(error: unknown, fallback: ErrorCode): PlainError {
  const { code, message, place } = (
    typeof error === "object" && error !== null ? error : {}
  ) as Partial<Record<keyof PlainError, unknown>>;
  return {
    code: typeof code === "string" && Object.hasOwn(CODES, code) ? (code as ErrorCode) : fallback,
    message: typeof message === "string" && message !== "" ? message : String(error),
    ...(typeof place === "string" ? { place } : {}),
  };
}

/** The error that a plain one describes. */
export function fromPlain(plain: PlainError, node?: number): QuorateError {
  const { code, message, place, outcome } = plain;
  return quorateError(code, message, { node, place, outcome });
}
