/** The public shapes of a state machine of one's own. No code. */

import type { Json } from "../kv/types.js";
import type { CallOptions } from "../types.js";

/** What a machine may know beside its command. The same on every node. */
export interface MachineContext {
  /** The command's place in the log: above that of every command before it. */
  readonly index: number;
  /** The leader's term in which it was taken. */
  readonly term: number;
  /**
   * Log time in milliseconds: it counts from the cluster's first leader, never falls, and stands still while there is no
   * leader. No wall clock.
   */
  readonly now: number;
  /** A number from 0 up to but without 1. Drawn from `index` and `term`: fair, but no secret. */
  readonly random: () => number;
}

/** What `restore` gets of what `snapshot` gave. */
export type Restored<S> = S extends string | Uint8Array | readonly unknown[]
  ? S
  : S extends Iterable<infer T>
    ? Iterable<T>
    : S;

/**
 * A state machine: the same commands in the same order give the same state and the same replies on every node.
 *
 * Values are JSON, or a `Uint8Array` as a whole; a reply may also be nothing. `docs/machine.md` has the rules.
 */
export interface Machine<
  Command = Json,
  Reply = Json,
  Query = Json,
  Answer = Json,
  Snapshot = unknown,
> {
  /** Executes a command. What it throws is the command's result, on every node: throw before anything is changed. */
  apply(command: Command, context: MachineContext): Reply;
  /** Answers from the state, and changes nothing. */
  query(query: Query): Answer;
  /** The whole state: JSON, a `Uint8Array`, or something iterable, as a `Map`, whose items are either. */
  snapshot(): Snapshot;
  /** Becomes what was snapshotted. Asked once, of a fresh instance. */
  restore(snapshot: Restored<Snapshot>): void;
  /** The log time from which on there is something to do without a command. Goes with `tick`. */
  dueAt?(): number | undefined;
  /** Does what is due at `context.now`, so that `dueAt` then says something later. */
  tick?(context: MachineContext): void;
}

/** Any machine, whatever its types. */
export interface AnyMachine {
  /** As `Machine.apply`. */
  apply(command: never, context: MachineContext): unknown;
  /** As `Machine.query`. */
  query(query: never): unknown;
  /** As `Machine.snapshot`. */
  snapshot(): unknown;
  /** As `Machine.restore`. */
  restore(snapshot: never): void;
  /** As `Machine.dueAt`. */
  dueAt?(): number | undefined;
  /** As `Machine.tick`. */
  tick?(context: MachineContext): void;
}

/** What a machine executes. */
export type CommandOf<M extends AnyMachine> = Parameters<M["apply"]>[0];
/** What a machine gives for a command. */
export type ReplyOf<M extends AnyMachine> = ReturnType<M["apply"]>;
/** What a machine is asked. */
export type QueryOf<M extends AnyMachine> = Parameters<M["query"]>[0];
/** What a machine answers. */
export type AnswerOf<M extends AnyMachine> = ReturnType<M["query"]>;

/** What a machine threw, as far as it is replicated. */
export interface Thrown {
  /** The `name` of the error; of what is no error, its type. */
  readonly name: string;
  /**
   * Its `message`; at most 1,000 characters, as its name. Empty for what engines throw by themselves (a `TypeError`,
   * `ReferenceError`, `SyntaxError`, `RangeError`, `URIError`, `EvalError` or `InternalError` without a `code`, or a
   * `DOMException`): each one words it otherwise.
   */
  readonly message: string;
  /** The thrown error's own `code`, if it was a string or a number. */
  readonly code?: string | number;
}

/** What a query of a machine takes. */
export interface MachineQueryOptions extends CallOptions {
  /** Answered at once by the node that is asked, from a state that may be old. Default false: linearizable. */
  readonly serializable?: boolean;
}

/** Reads of one node. */
export interface MachineQueries<M extends AnyMachine> {
  /** Answers a query: linearizable, unless it is `serializable`. */
  query(query: QueryOf<M>, options?: MachineQueryOptions): Promise<AnswerOf<M>>;
}

/** The machine, as its cluster shows it. */
export interface MachineCalls<M extends AnyMachine> extends MachineQueries<M> {
  /** Executes a command, exactly once. What the machine throws comes as a `MachineError` with the code `MACHINE_THREW`. */
  execute(command: CommandOf<M>, options?: CallOptions): Promise<ReplyOf<M>>;
}
