/** What stands beside the nodes in worlds of more than one group, or with workers: the shapes of `crate/sim/src/film/board.rs`. */

export type Board = ShardsBoard | JobBoard;

/** Who has which shard. */
export interface ShardsBoard {
  readonly kind: "shards";
  /** The number of the latest configuration; 0: there is none yet. */
  readonly number: number;
  /** Of each shard, the group that it gives it to; 0 for none. */
  readonly owners: readonly number[];
  /** The groups, the controller's first: its number is 0. */
  readonly groups: readonly GroupBoard[];
  /** Keys that clients named, and the shard of each. */
  readonly keys: readonly (readonly [key: string, shard: number])[];
}

/** A group, as its most advanced node has it. */
export interface GroupBoard {
  readonly id: number;
  readonly nodes: readonly number[];
  /** The configuration that it carries out. */
  readonly number: number;
  /** The shards that are here in any way. */
  readonly places: readonly PlaceBoard[];
}

/** `leaving`: it is served while the other group copies it. `frozen`: it is served nowhere. */
export type Stand = "serving" | "leaving" | "frozen" | "arriving";

export interface PlaceBoard {
  readonly shard: number;
  readonly stand: Stand;
  /** Of one that arrives: copies that are complete, and pieces of the copy under way. */
  readonly copies: number;
  readonly pieces: number;
}

export type JobPhase =
  | "none"
  | "waiting"
  | "mapping"
  | "reducing"
  | "publishing"
  | "completed"
  | "failed"
  | "cancelled";

/** How far a job is. */
export interface JobBoard {
  readonly kind: "job";
  readonly phase: JobPhase;
  /** All tasks, in the order of their phases. */
  readonly tasks: readonly TaskBoard[];
  /** All workers that there ever were. */
  readonly workers: readonly WorkerBoard[];
  /** What was published: words, and how often they occur; the most frequent first. */
  readonly result: readonly (readonly [word: string, count: number])[];
}

export interface TaskBoard {
  readonly kind: "map" | "reduce" | "publish";
  /** Counted from 0. */
  readonly index: number;
  readonly attempts: readonly AttemptBoard[];
}

export interface AttemptBoard {
  readonly worker: number;
  /** `beaten`: by another attempt. `ended`: its worker was not heard any more, or gave it up. */
  readonly state: "running" | "won" | "beaten" | "ended";
}

export interface WorkerBoard {
  readonly id: number;
  /** `home`: the job is over. */
  readonly state: "waiting" | "working" | "dead" | "home";
  /** It takes ten times as long. */
  readonly slow: boolean;
}
