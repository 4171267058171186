/** The debug log, where it is read: what it can be about, and how a line looks. */

import type { DebugEntry, DebugTopic } from "./types.js";

/** Everything that a log can be about. */
export const TOPICS: readonly DebugTopic[] = [
  "election",
  "append",
  "commit",
  "persist",
  "snapshot",
  "member",
  "read",
  "transport",
];

/** An entry in columns: seconds, node, term, role, topic, text. */
export function formatted({ time, node, term, role, topic, text }: DebugEntry): string {
  const seconds = (time / 1_000).toFixed(3).padStart(9);
  const who = `n${node}`.padEnd(4) + `t${term}`.padEnd(5) + ROLES[role];
  return `${seconds} ${who} ${topic.padEnd(9)} ${text}`;
}

const ROLES = { follower: "F", preCandidate: "P", candidate: "C", leader: "L" } as const;
