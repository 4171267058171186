/** What the owner of the workers and a worker say to each other. */

import type { Json } from "../kv/types.js";
import type { TaskFailure } from "./errors.js";
import type { ScratchPlace } from "./scratch.js";
import type { Source } from "./source.js";
import type { BuiltInJob } from "./types.js";

/** How records end, as it crosses ports. */
export type Format =
  | { readonly kind: "lines" | "whole" | "custom" }
  | { readonly kind: "delimiter"; readonly delimiter: Uint8Array }
  | { readonly kind: "length"; readonly length: number };

/** All that a worker has to know of a job. */
export interface JobSpec {
  readonly job: { readonly url: string } | { readonly builtIn: BuiltInJob };
  readonly params: Json;
  readonly partitions: number;
  readonly format: Format;
  readonly memory: number;
  readonly sources: readonly Source[];
  /** Of a sort: where a partition ends and the next one begins. */
  readonly boundaries?: readonly Uint8Array[];
}

/** A task, as the coordinator gives it out. */
export type Assignment =
  | {
      readonly kind: "map";
      readonly task: number;
      readonly attempt: number;
      readonly split: Split;
      /** Where records begin that are left out. */
      readonly skip: readonly number[];
      /** It only finds out whether these bytes do harm. */
      readonly probe?: { readonly start: number; readonly end: number };
    }
  | {
      readonly kind: "reduce";
      /** The partition. */
      readonly task: number;
      readonly attempt: number;
      /** The attempts that won, of the map tasks. */
      readonly maps: readonly { readonly task: number; readonly attempt: number }[];
      /** Numbers of keys that are left out. */
      readonly skip: readonly number[];
    };

/** A part of an input, in bytes. */
export interface Split {
  readonly source: number;
  readonly start: number;
  readonly end: number;
}

/** How far an attempt is. */
export interface TaskProgress {
  readonly records: number;
  readonly bytes: number;
  /** Where the record in hand begins, or the number of the key. */
  readonly at: number;
  /** Where the next one begins, as far as is known. */
  readonly next: number;
}

/** What came of an attempt. */
export interface TaskOutcome {
  /** Of a map, the bytes for each partition; of a reduce, those of its output. */
  readonly sizes: readonly number[];
  readonly counters: Readonly<Record<string, number>>;
}

export type ToTasks =
  | { readonly type: "open"; readonly scratch: ScratchPlace; readonly engine: WebAssembly.Module }
  | { readonly type: "job"; readonly job: number; readonly spec: JobSpec }
  | { readonly type: "forget"; readonly job: number }
  | { readonly type: "run"; readonly job: number; readonly assignment: Assignment }
  /** What runs is not wanted any more. */
  | { readonly type: "stop" };

export type FromTasks =
  | { readonly type: "hello" }
  | { readonly type: "progress"; readonly progress: TaskProgress }
  | { readonly type: "done"; readonly outcome: TaskOutcome }
  | {
      readonly type: "failed";
      readonly failure: TaskFailure;
      /** A map's output is not there, or damaged. */
      readonly lost?: { readonly task: number; readonly attempt: number };
    }
  | { readonly type: "stopped" };

/** Where an attempt's file is. */
export const mapFile = (job: number, task: number, attempt: number) => `${job}/m${task}.${attempt}`;
export const reduceFile = (job: number, partition: number, attempt: number) =>
  `${job}/r${partition}.${attempt}`;
