/** A node's log as a strip of cells. All strips begin at the same entry, so that they can be compared. Pure. */

import type { NodeModel } from "./model.js";

/** An entry that the log has not, or what has become of it. */
export type Cell = "none" | "compacted" | "committed" | "durable" | "pending";

/** The part of a status that a strip is made of. */
type Log = Pick<
  NonNullable<NodeModel["status"]>,
  "logStart" | "commit" | "persisted" | "last" | "lastTerm"
>;

/** How many entries a strip shows. */
export const STRIP = 24;

/** The first entry of all strips: so that the newest of all nodes fits in. */
export function firstShown(nodes: readonly Pick<NodeModel, "status">[]): number {
  const newest = Math.max(0, ...nodes.map(({ status }) => status?.last ?? 0));
  return Math.max(1, newest - STRIP + 1);
}

/** The cells from entry `first` on. */
export function strip({ logStart, commit, persisted, last }: Log, first: number): Cell[] {
  return Array.from({ length: STRIP }, (_, at) => {
    const index = first + at;
    if (index > last) return "none";
    if (index <= logStart) return "compacted";
    if (index <= commit) return "committed";
    return index <= persisted ? "durable" : "pending";
  });
}

/** The same in words. */
export function describeLog({ logStart, commit, last, lastTerm }: Log): string {
  if (last === 0) return "Log: empty";
  const entries = last === logStart ? "all in the snapshot" : `entries ${logStart + 1} to ${last}`;
  const open = last - commit;
  const rest = open === 0 ? "all committed" : `${open} not known to be committed`;
  return `Log: ${entries}, ${rest}; the last one is of term ${lastTerm}`;
}
