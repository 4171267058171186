/** Logs as strips of cells, aligned so that they can be compared. Pure. */

import type { LogPicture, NodePicture } from "./picture.js";

/** What has become of an entry at a node. */
export type CellState = "none" | "compacted" | "committed" | "persisted" | "pending";

export interface Cell {
  readonly index: number;
  readonly state: CellState;
  /** 0 where it is not known, or there is none. */
  readonly term: number;
  readonly text: string;
}

/** The first entry of all strips of so many cells: so that the newest entry of all nodes fits in. */
export function firstShown(nodes: readonly Pick<NodePicture, "log">[], cells: number): number {
  const newest = Math.max(0, ...nodes.map(({ log }) => log.last));
  // Room for one more, so that what comes is seen to come.
  return Math.max(1, newest - cells + 2);
}

/** The term of an entry; 0 where there is none, or it is not known. */
export function termOf({ runs, start, last }: LogPicture, index: number): number {
  if (index > last || index < start || index < 1) return 0;
  return runs.findLast(({ first }) => first <= index)?.term ?? 0;
}

export function cellsOf(log: LogPicture, first: number, count: number): Cell[] {
  return Array.from({ length: count }, (_, at) => {
    const index = first + at;
    const text = log.entries.find((entry) => entry.index === index)?.text ?? "";
    return { index, state: stateOf(log, index), term: termOf(log, index), text };
  });
}

function stateOf({ start, last, persisted, commit }: LogPicture, index: number): CellState {
  if (index > last) return "none";
  if (index <= start) return "compacted";
  if (index <= commit) return "committed";
  return index <= persisted ? "persisted" : "pending";
}
