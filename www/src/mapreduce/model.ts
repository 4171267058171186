/** The page's picture of the cluster, its workers and a job. Pure: actions go in, a new picture comes out. */

import type { JobEvent, JobProgress, NodeState } from "quorate/mapreduce";

import type { Choice } from "./jobs.js";
import { advance, nothingYet, type Timeline } from "./timeline.js";
import type { Written } from "./worker.js";

/** What the page is at. */
export type Stage =
  | "opening"
  | "ready"
  /** The sample is being made. */
  | "preparing"
  | "running"
  /** A plain program counts once more. */
  | "comparing"
  /** There is no cluster. */
  | "failed";

export interface Trouble {
  readonly code: string;
  readonly text: string;
}

export interface NodeModel {
  readonly id: number;
  readonly state: NodeState;
}

export interface WorkerModel {
  /** Its id in the pool. */
  readonly id: number;
  /** What it is called here: workers are counted as they come. */
  readonly number: number;
  /** What it does, as `map 3`. */
  readonly task: string | null;
  readonly isGone: boolean;
}

/** What came of a job. */
export interface Outcome {
  readonly choice: Choice;
  readonly written: Written;
  readonly counters: Readonly<Record<string, number>>;
  /** How long the job took, in milliseconds. */
  readonly time: number;
  /** How many bytes of input there were. */
  readonly bytes: number;
  /** What the plain program wrote; while it is at it, and if it was stopped, nothing. */
  readonly plain: Written | "waiting" | "stopped";
}

/** Something that happened. */
export interface Happening {
  /** Counts up from 1. */
  readonly number: number;
  readonly kind: "leader" | "fault" | "mended" | "error" | "step";
  readonly text: string;
  /** Milliseconds since the page began. */
  readonly at: number;
}

export interface Model {
  readonly stage: Stage;
  /** Why there is no cluster. */
  readonly trouble: Trouble | null;
  readonly leader: number | null;
  readonly term: number;
  readonly nodes: readonly NodeModel[];
  readonly workers: readonly WorkerModel[];
  readonly timeline: Timeline;
  readonly progress: JobProgress | null;
  /** When the job of the timeline began and was over, in milliseconds since the page began. */
  readonly began: number;
  readonly ended: number | undefined;
  readonly outcome: Outcome | null;
  /** The newest first. */
  readonly happenings: readonly Happening[];
}

export const initial: Model = {
  stage: "opening",
  trouble: null,
  leader: null,
  term: 0,
  nodes: [],
  workers: [],
  timeline: nothingYet,
  progress: null,
  began: 0,
  ended: undefined,
  outcome: null,
  happenings: [],
};

export type Action =
  | { readonly type: "stage"; readonly stage: Stage }
  | { readonly type: "failed"; readonly trouble: Trouble }
  | { readonly type: "leader"; readonly leader: number | null; readonly term: number }
  | { readonly type: "nodes"; readonly nodes: readonly NodeModel[] }
  | { readonly type: "workers"; readonly workers: readonly Pick<WorkerModel, "id" | "task">[] }
  | { readonly type: "began"; readonly at: number }
  | { readonly type: "event"; readonly event: JobEvent }
  | { readonly type: "progress"; readonly progress: JobProgress }
  | { readonly type: "ended"; readonly at: number }
  | { readonly type: "outcome"; readonly outcome: Outcome | null }
  | { readonly type: "plain"; readonly plain: Outcome["plain"] }
  | { readonly type: "happened"; readonly what: Omit<Happening, "number"> };

export function update(model: Model, action: Action): Model {
  switch (action.type) {
    case "stage":
      return { ...model, stage: action.stage, trouble: null };
    case "failed":
      return { ...model, stage: "failed", trouble: action.trouble };
    case "leader":
      return { ...model, leader: action.leader, term: action.term };
    case "nodes":
      return { ...model, nodes: action.nodes };
    case "workers":
      return { ...model, workers: workersAfter(model, action.workers) };
    case "began": {
      const { at: began } = action;
      const workers = model.workers.filter(({ isGone }) => !isGone);
      const fresh = { timeline: nothingYet, progress: null, outcome: null, ended: undefined };
      return { ...model, ...fresh, began, workers };
    }
    case "event":
      return { ...model, timeline: advance(model.timeline, action.event) };
    case "progress":
      return { ...model, progress: action.progress };
    case "ended":
      return { ...model, ended: action.at };
    case "outcome":
      return { ...model, outcome: action.outcome };
    case "plain":
      return model.outcome === null
        ? model
        : { ...model, outcome: { ...model.outcome, plain: action.plain } };
    case "happened": {
      const number = (model.happenings[0]?.number ?? 0) + 1;
      const happenings = [{ ...action.what, number }, ...model.happenings];
      return { ...model, happenings: happenings.slice(0, HAPPENINGS_MAX) };
    }
  }
}

/** Those that are there, and those that are gone but did something for the job; they keep their numbers. */
function workersAfter(
  { workers, timeline }: Model,
  listed: readonly Pick<WorkerModel, "id" | "task">[],
): WorkerModel[] {
  let last = Math.max(0, ...workers.map(({ number }) => number));
  const known = workers.map((worker): WorkerModel => {
    const now = listed.find(({ id }) => id === worker.id);
    return { ...worker, task: now?.task ?? null, isGone: now === undefined };
  });
  const fresh = listed
    .filter(({ id }) => !workers.some((worker) => worker.id === id))
    .map(({ id, task }) => ({ id, task, number: ++last, isGone: false }));
  const did = new Set(timeline.attempts.map(({ worker }) => worker));
  // The newest numbers are never given again, even if nobody is left who bears them.
  return [...known, ...fresh].filter(
    ({ id, isGone, number }) => !isGone || did.has(id) || number === last,
  );
}

/** The number of a worker, which it has even before it was listed. */
export function numberOf({ workers }: Model, id: number): number | undefined {
  return workers.find((worker) => worker.id === id)?.number;
}

/** Whether a job may be begun. */
export const mayStart = ({ stage, nodes }: Model) => stage === "ready" && nodes.length > 0;
/** Whether something goes on that can be cancelled. */
export const mayCancel = ({ stage }: Model) =>
  stage === "preparing" || stage === "running" || stage === "comparing";

const HAPPENINGS_MAX = 100;
