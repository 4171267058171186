/** The public shapes of a simulation. No code. */

import type { AnyMachine, CommandOf, Machine, QueryOf, Thrown } from "../../machine/types.js";

/** Numbers from 0 up to but without 1, the same for the same seed. */
export interface Random {
  /** The next number. */
  (): number;
  /** A whole number from 0 up to but without `end`. */
  integer(end: number): number;
  /** One of the items. */
  pick<T>(list: readonly T[]): T;
}

/**
 * What is simulated: a class that is made without arguments, a function that makes a machine, or the URL of a module
 * whose default export is one of these or a machine. From a URL every node has a module of its own, as in a cluster.
 */
export type MachineSource<M extends AnyMachine = AnyMachine> =
  | (new () => M)
  | (() => M)
  | URL
  | string;

/** The kinds of faults. */
export type Fault =
  /** Nodes crash, one, the leader, some, or all, and start again; also between two effects of one step. */
  | "crashes"
  /** Nodes stop for a while, with their clocks or without. */
  | "pauses"
  /** Links are cut: in two halves, around one node, in one direction. */
  | "partitions"
  /** Messages are lost, come twice, late, and in another order. */
  | "messages"
  /** Clocks are too fast, too slow, or jump. */
  | "clocks"
  /** Writes take seconds, or fail. */
  | "disks"
  /** A node loses all that it stored, while the others are whole, and comes back with nothing. */
  | "losses";

/** What a simulation takes. */
export interface SimulateOptions<M extends AnyMachine = Machine> {
  /** What a client asks for next. `client` counts from 1. */
  readonly command: (random: Random, client: number) => CommandOf<M>;
  /** A question, asked about as often as commands are. Without it, none. */
  readonly query?: (random: Random, client: number) => QueryOf<M>;
  /** The world to begin with. Default 1. */
  readonly seed?: number;
  /** How many worlds, `seed` and those after it; the first that fails is the last. Default 1. */
  readonly seeds?: number;
  /** Default 3; at most 7. */
  readonly nodes?: number;
  /** Each has one call open at a time. Default 4; at most 64. */
  readonly clients?: number;
  /** How long faults come, in simulated seconds. Default 10; at most 3,600. */
  readonly seconds?: number;
  /** Default `"all"`. */
  readonly faults?: "all" | "none" | { readonly [fault in Fault]?: boolean };
  /**
   * Whether `apply` may throw this for this command. Default: anything but what an engine throws by itself, as a
   * `TypeError`, without a `code`, which is a mistake more often than an answer.
   */
  readonly mayThrow?: (thrown: Thrown, command: CommandOf<M>) => boolean;
  /** Whether to look for a smaller world that fails in the same way. Default true. */
  readonly shrink?: boolean;
  /** Ends it: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What a simulation can find. */
export type FailureKind =
  /** Two nodes did the same commands and have other replies, or other states. */
  | "diverged"
  /** What `restore` made of a snapshot is not what was snapshotted. */
  | "restore"
  /** `snapshot`, `restore`, `tick` or `dueAt` threw, or gave what cannot be stored: the node halts. */
  | "machine-failed"
  /** `apply` or `query` gave what cannot be stored. */
  | "reply"
  /** `apply` threw what looks like a mistake. */
  | "threw"
  /** `apply` changed the state, and then threw. */
  | "half-done"
  /** `query` changed the state. */
  | "query-changed"
  /** No order explains what clients were told. */
  | "not-linearizable"
  /** The faults stopped, and the cluster did not come to rest. */
  | "stuck";

/** What was found. */
export interface SimulationFailure {
  /** What kind of mistake it is. */
  readonly kind: FailureKind;
  /** What happened, in one sentence. */
  readonly message: string;
  /** What shows it, line by line: the replies, the parts of states that differ, the calls that fit no order. */
  readonly details: readonly string[];
  /** The nodes that it shows on. */
  readonly nodes: readonly number[];
  /** Where in the log. */
  readonly index?: number;
  /** When, in simulated seconds. */
  readonly at: number;
}

/** One call of a client, in the order in which they began. Times are simulated seconds. */
export interface SimulatedCall<M extends AnyMachine = AnyMachine> {
  /** Who asked, from 1. */
  readonly client: number;
  /** What was to be done, if it is a command. */
  readonly command?: CommandOf<M>;
  /** What was asked, if it is a query. */
  readonly query?: QueryOf<M>;
  /** When it began. */
  readonly invoked: number;
  /** Missing as long as it has not ended. */
  readonly returned?: number;
  /** What became of it: an answer, what the machine threw, no effect now or ever, or nobody knows. */
  readonly outcome: "answered" | "threw" | "not-applied" | "unknown";
  /** The reply or the answer, if there was one. */
  readonly result?: unknown;
  /** What the machine threw, if it did. */
  readonly thrown?: Thrown;
  /** The command's place in the log, if it was executed. */
  readonly index?: number;
}

/** What of a world is enough to live it again, with the same machine. JSON. */
export interface SimulationTrace {
  /** Of this shape. */
  readonly version: 1;
  /** As the option. */
  readonly seed: number;
  /** As the option. */
  readonly nodes: number;
  /** As the option. */
  readonly clients: number;
  /** As the option. */
  readonly seconds: number;
  /** Those that came. */
  readonly faults: readonly Fault[];
  /** What each client asked for, in order: a command or a query; bytes are in base64. */
  readonly calls: readonly (readonly TracedCall[])[];
  /** As of `Simulation`. */
  readonly hash: string;
}

/** A call in a trace. */
export type TracedCall =
  | { readonly command: unknown }
  | { readonly query: unknown }
  | { readonly nothing: "command" | "query" }
  | { readonly commandBytes: string }
  | { readonly queryBytes: string };

/** How often what came up. */
export interface SimulationCounts {
  /** Calls that began. */
  readonly calls: number;
  /** Calls that were answered. */
  readonly answered: number;
  /** Calls of which nobody knows whether they took effect. */
  readonly unknown: number;
  /** Commands that were executed. */
  readonly commands: number;
  /** Starts of nodes, the first ones included. */
  readonly starts: number;
  /** Elections that were won. */
  readonly elections: number;
  /** Snapshots that were taken. */
  readonly snapshots: number;
  /** Snapshots that were restored, at a start or from a leader. */
  readonly restores: number;
  /** Steps of the world. */
  readonly events: number;
  /** Of each kind. */
  readonly faults: { readonly [fault in Fault]: number };
}

/** One world, or the first of several that failed. */
export interface Simulation<M extends AnyMachine = AnyMachine> {
  /** Whether nothing was found. */
  readonly ok: boolean;
  /** Of this world. */
  readonly seed: number;
  /** How many worlds were lived, without those of the search for a smaller one. */
  readonly worlds: number;
  /** What was found. */
  readonly failure?: SimulationFailure;
  /** Whether an order of all calls explains what clients were told; `unchecked` if another failure came first. */
  readonly verdict: "linearizable" | "not-linearizable" | "unchecked";
  /** What clients asked and were told. */
  readonly history: readonly SimulatedCall<M>[];
  /** How often what came up. */
  readonly counts: SimulationCounts;
  /** How long the world lasted, in simulated seconds. */
  readonly seconds: number;
  /** Of everything that happened: equal for equal seeds, machines and options. */
  readonly hash: string;
  /** For `replay`. */
  readonly trace: SimulationTrace;
  /** What a machine looked at that it must not, and how often: `apply: Date.now()`. Not wrong as long as nothing comes of it. */
  readonly looks: { readonly [what: string]: number };
  /** All of it for a person. */
  readonly report: string;
  /** Throws an `Error` whose message is the report, if something was found. */
  assert(): void;
}
