/** The public shapes of MapReduce. No code. */

import type { Json, Kv } from "../kv/types.js";
import type {
  AnyNode,
  CallOptions,
  ClusterEvents,
  ClusterListener,
  ClusterOptions,
  Network,
} from "../types.js";

/** What a value of a pair may be: JSON, or bytes as a whole. */
export type PairValue = Json | Uint8Array;

/** What a job's functions may know beside their arguments. */
export interface TaskContext<Params = Json> {
  /** What `mapReduce` was given as `params`. */
  readonly params: Params;
  /** How many partitions there are. */
  readonly partitions: number;
  /** The number of the task among the map tasks, or of the partition. */
  readonly task: number;
  /** The name of the input that the record is of; of a reduce, nothing. */
  readonly input: string;
  /** Counts something: the job's counters have the sum over the attempts that won. */
  readonly count: (name: string, by?: number) => void;
}

/** Takes a pair of an intermediate key and its value. The value is kept as it is now. */
export type Emit<Value extends PairValue = Json> = (key: string, value: Value) => void;

/**
 * A job of one's own: the exports of a module, or its default export. Each worker imports the module.
 *
 * The functions are called once or more for the same record, by whoever carries a task out: what they emit counts once, what
 * they do beside that does not. The same arguments must give the same pairs.
 */
export interface Job<Value extends PairValue = Json, Params = Json> {
  /** Called with each record of the input: where it begins, in bytes, and the record, without what ends it. */
  map(
    key: number,
    value: string,
    emit: Emit<Value>,
    context: TaskContext<Params>,
  ): void | Promise<void>;
  /**
   * Called with each key, in order, and what was emitted with it: in the order of the map tasks, and in each as emitted. The
   * values can be gone through once. What it returns is written as the key's result; nothing is written for `undefined`.
   */
  reduce(
    key: string,
    values: Iterable<Value>,
    context: TaskContext<Params>,
  ): PairValue | undefined | Promise<PairValue | undefined>;
  /**
   * Makes one value of several of a key, before they are stored and sent: for a reduce to which it does not matter how values are
   * put together. Called any number of times.
   */
  combine?(key: string, values: Iterable<Value>, context: TaskContext<Params>): Value;
  /** To which partition a key belongs. By default a hash of the key. */
  partition?(key: string, partitions: number): number;
  /**
   * In which order keys come to `reduce`: negative if the first is before the second. Keys for which it gives 0 are one key, and
   * `partition` has to put them together. By default the order of their bytes in UTF-8, which is several times as fast.
   */
  compare?(first: string, second: string): number;
  /** Where records end, for `records: "custom"`: where the next one begins in these bytes, or `undefined` if more of them are needed. */
  boundary?(bytes: Uint8Array, isLast: boolean): number | undefined;
  /** The text of a result. By default the key, a tab, the value (text as it is, anything else as JSON), and a line feed. */
  format?(key: string, value: PairValue): string | Uint8Array;
}

/** Jobs that come with the package, in WebAssembly. */
export type BuiltInJob = "wordcount" | "index" | "grep" | "sort";

/** Where a job's records come from. */
export type JobInput =
  /** A path or a pattern (`*`, `**`, `?`) on Node; a directory stands for all files in it. */
  | string
  /** A file of that place: fetched, in parts where the server can. On Node also `file:`. */
  | URL
  /** A `File` is one. */
  | Blob
  /** It is read into the scratch storage first. */
  | Response
  | ReadableStream<Uint8Array>
  | Uint8Array
  /** Keys of a store, as of one revision: each record is a line of JSON, `[key, value]`. */
  | { readonly kv: Pick<Kv<Json>, "range">; readonly prefix: string };

/** How an input is cut into records. */
export type RecordFormat =
  /** Each ends with a line feed, and a carriage return before it goes, too. The default. */
  | "lines"
  /** An input is one record. */
  | "whole"
  /** By the job's own `boundary`; then an input is one task. */
  | "custom"
  /** Each ends with these bytes. */
  | { readonly delimiter: string | Uint8Array }
  /** Each has so many bytes, the last one of an input maybe fewer. */
  | { readonly length: number };

/** Where results go. */
export type JobTarget =
  /** A directory on Node, which must not be there or be empty: `part-00000` and so on. It appears when all of it is there. */
  | string
  /** Keys `<prefix><job>/<key>` of a store; the key `<prefix>` itself says, written last, which job's they are. */
  | { readonly kv: Kv<Json>; readonly prefix: string };

/** What is to be done. */
export interface MapReduceOptions {
  /** One input, or several in order. */
  readonly input: JobInput | readonly JobInput[];
  /** A module with a {@link Job}, or the name of one that is built in. */
  readonly job: URL | BuiltInJob;
  /** How many outputs there are, 1 to 1,024. Default 8. */
  readonly partitions?: number;
  /** For the job's functions. The built-in: `wordcount` { fold }, `grep` { pattern }, `sort` { }. */
  readonly params?: Json;
  /** How inputs are cut into records. Default `"lines"`. */
  readonly records?: RecordFormat;
  /** By default the results stay in the scratch storage until the job is forgotten; `result()` reads them. */
  readonly output?: JobTarget;
  /** About how many bytes of input a map task has. Default: so that each worker gets a few, 1 MiB to 64 MiB. */
  readonly split?: number;
  /** How many bytes of pairs a worker holds before they are written down, 64 KiB to 1 GiB. Default 64 MiB. */
  readonly memory?: number;
  /** How long a worker that says nothing keeps a task, in milliseconds, 100 to 3,600,000. Default 10,000. */
  readonly lease?: number;
  /** How often a task may fail before the job does, 1 to 100. Default 4. */
  readonly attempts?: number;
  /** Whether the last tasks are given to a second worker when the first is slow. Default true. */
  readonly backup?: boolean;
  /** How many records over which the job's functions fail may be left out, 0 to 1,000. Default 0. */
  readonly skip?: number;
}

/** How far a job is. */
export type JobPhase =
  /** Its map tasks are being told. */
  "waiting" | "mapping" | "reducing" | "publishing" | "completed" | "failed" | "cancelled";

/** A count of tasks of one kind. */
export interface TaskCount {
  /** How many there are. */
  readonly total: number;
  /** How many of them have a winner. */
  readonly completed: number;
  /** What the attempts that won have stored. */
  readonly bytes: number;
}

/** How much of the input is read. */
export interface InputCount {
  /** How many bytes it has in all. */
  readonly bytes: number;
  /** How many of them have been read, by attempts that won and those under way. */
  readonly read: number;
}

/** An attempt under way. */
export interface RunningTask {
  /** Of which kind its task is. */
  readonly kind: "map" | "reduce" | "publish";
  /** The number of the map task, or of the partition. */
  readonly task: number;
  /** Its number among those of the task, from 0. */
  readonly attempt: number;
  /** The id of the worker, as `workers.list()` has it. */
  readonly worker: number;
  /** For how long, in milliseconds of log time. */
  readonly time: number;
  /** How many records, or keys of a reduce, it has gone through, as it said last. */
  readonly records: number;
  /** How many bytes of the input it has read, or of a reduce's output written. */
  readonly bytes: number;
  /** Whether it only looks for a record that ends workers. */
  readonly isProbe: boolean;
}

/** A picture of a job. */
export interface JobProgress {
  /** The job's id, by which it can be resumed. */
  readonly id: number;
  /** What is done for it. */
  readonly phase: JobPhase;
  /** Its map tasks. */
  readonly map: TaskCount;
  /** Its reduce tasks, one for each partition. */
  readonly reduce: TaskCount;
  /** How much of the input has been read. */
  readonly input: InputCount;
  /** Attempts under way, the first 1,000 by task. */
  readonly running: readonly RunningTask[];
  /** Records that were left out. */
  readonly skipped: number;
}

/** A job, shortly. */
export type JobSummary = Pick<JobProgress, "id" | "phase" | "map" | "reduce">;

/** One thing that happened to a job. */
export interface JobEvent {
  /** Counts up from 0; of the last 10,000 or a little more it is known. */
  readonly number: number;
  /** Log time in milliseconds. */
  readonly time: number;
  /** What happened, which says what `detail` is. */
  readonly what: /** The job is in another phase: `detail` is its name. */
    | "phase"
    /** A worker took up an attempt. */
    | "given"
    /** A second one, beside a slow one. */
    | "backup"
    /** A search for a record that ends workers, from `detail` on. */
    | "probe"
    /** The attempt's files, of `detail` bytes, are those that count. */
    | "won"
    /** Another attempt, `detail`, won before this one. */
    | "beaten"
    /** The search found nothing. */
    | "probed"
    /** Nothing was heard of the attempt in time. */
    | "expired"
    /** The worker died on the attempt. */
    | "died"
    /** The worker left, or gave it up without blame. */
    | "left"
    /** The attempt failed, over the record that begins at `detail`, or over none: `null`. */
    | "failed"
    /** A record is left out from now on, which begins at `detail`. */
    | "skipped"
    /** What the attempt had stored is gone. */
    | "gone";
  /** Of which kind the task is; of a phase, `"job"`. */
  readonly kind: "map" | "reduce" | "publish" | "job";
  /** The number of the map task, or of the partition; else 0. */
  readonly task: number;
  /** Its number among those of the task, from 0. */
  readonly attempt: number;
  /** The id of the worker, or 0. */
  readonly worker: number;
  /** As `what` says; where it says nothing, it means nothing. */
  readonly detail: number | string | null;
}

/** One partition's result. */
export interface JobOutput {
  /** Its number, from 0. */
  readonly partition: number;
  /** In bytes. */
  readonly size: number;
  /** Its bytes, from the beginning. */
  stream(): ReadableStream<Uint8Array>;
  /** All of it. */
  text(): Promise<string>;
}

/** What came of a job. */
export interface JobResult {
  /** The job's. */
  readonly id: number;
  /** One for each partition, in order; keys are in order within each. */
  readonly outputs: readonly JobOutput[];
  /** Of the attempts that won: `records`, `pairs`, `skipped`, and what the job counted itself. */
  readonly counters: Readonly<Record<string, number>>;
  /** All outputs, one behind the other. */
  stream(): ReadableStream<Uint8Array>;
  /** All outputs, as a text in memory. */
  text(): Promise<string>;
}

/** A job under way, or over. */
export interface RunningJob {
  /** By which it can be resumed or forgotten. */
  readonly id: number;
  /** What it looks like now, and whenever that changed, until it is over. */
  readonly progress: AsyncIterable<JobProgress>;
  /** What happened to it so far, of which the last 10,000 are known, and what happens until it is over. */
  readonly events: AsyncIterable<JobEvent>;
  /** Resolves when the results are published; rejects with why they never will be. */
  result(): Promise<JobResult>;
  /**
   * Ends it: nothing is published. Resolves when that is sure; the result then rejects with `JOB_CANCELLED`. If it comes too
   * late, it changes nothing, and the result resolves.
   */
  cancel(): Promise<void>;
  /** What happened to it so far. */
  history(options?: CallOptions): Promise<readonly JobEvent[]>;
}

/** The threads that carry tasks out. */
export interface JobWorkers {
  /** How many there are. */
  readonly count: number;
  /** Starts some more. */
  add(count?: number): Promise<void>;
  /** Lets some finish what they do, and ends them. */
  remove(count?: number): Promise<void>;
  /** Ends one where it stands, as a crash would; another takes its place. */
  kill(worker: number): Promise<void>;
  /** Their ids, and what each does. */
  list(): readonly { readonly id: number; readonly task: string | null }[];
}

/** How a cluster for jobs is opened. */
export interface MapReduceClusterOptions
  extends Pick<
    ClusterOptions,
    | "name"
    | "nodes"
    | "storage"
    | "directory"
    | "timeouts"
    | "deadline"
    | "snapshotEntries"
    | "debug"
    | "signal"
    | "wasm"
    | "createWorker"
  > {
  /** How many workers carry tasks out, 0 to 64. Default: as many as there are processors, at most 8. */
  readonly workers?: number;
  /** Where what is between map and reduce is written, on Node. Default: `scratch` in the cluster's directory. */
  readonly scratch?: string;
}

/** Nodes that agree on which worker does what, and the workers. */
export interface MapReduceCluster {
  /** As it was opened. */
  readonly name: string;
  /** The nodes on which the coordinator runs, as of a `Cluster`. */
  readonly nodes: readonly AnyNode[];
  /** The node with this id. */
  node(id: number): AnyNode;
  /** Faults between the nodes. */
  readonly network: Network;
  /** Who carries tasks out. */
  readonly workers: JobWorkers;
  /** Begins a job. The signal cancels it. */
  mapReduce(options: MapReduceOptions, bounds?: CallOptions): Promise<RunningJob>;
  /** The jobs that are known, those that are over too. */
  jobs(options?: CallOptions): Promise<readonly JobSummary[]>;
  /** Goes on with a job that another process or page began; `input` where it cannot be found again by its name. */
  resume(
    id: number,
    options?: CallOptions & { readonly input?: MapReduceOptions["input"] },
  ): Promise<RunningJob>;
  /** Removes a job that is over, and its results where they are in the scratch storage. */
  forget(id: number, options?: CallOptions): Promise<void>;
  /** As `Cluster`'s, of the nodes. */
  addEventListener<K extends keyof ClusterEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  /** Takes a listener away again. */
  removeEventListener<K extends keyof ClusterEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | EventListenerOptions,
  ): void;
  /** Ends the workers and closes the nodes. Jobs that are not over can be resumed by whoever opens it again. */
  close(): Promise<void>;
  /** The same, for `await using`. */
  [Symbol.asyncDispose]: () => Promise<void>;
}

/** What opens them. */
export interface MapReduceClusterFactory {
  /** Opens the nodes and starts the workers. */
  open(options: MapReduceClusterOptions): Promise<MapReduceCluster>;
}
