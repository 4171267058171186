/** Numbers and events as people read them. */

import type { ClusterEvents, ClusterListener } from "../types.js";

export function bytes(count: number): string {
  let [size, unit] = [count, "B"];
  for (const next of ["kB", "MB", "GB", "TB"]) {
    if (size < 999.5) break;
    [size, unit] = [size / 1_000, next];
  }
  return `${unit === "B" || size >= 99.5 ? Math.round(size) : size.toPrecision(2)} ${unit}`;
}

export const whole = (count: number) => count.toLocaleString("en");

/** A time in seconds; what is above the last bucket has no bound. */
export function duration(seconds: number): string {
  if (seconds === Infinity) return "> 10 s";
  if (seconds >= 1) return `${seconds} s`;
  const ms = seconds * 1_000;
  return ms >= 1 ? `${Number(ms.toPrecision(3))} ms` : `${Math.round(ms * 1_000)} µs`;
}

/** What is told of events; of the others nothing. */
export const TOLD: { readonly [K in keyof ClusterEvents]?: (detail: ClusterEvents[K]) => string } =
  {
    leaderchange: ({ leader, term }) =>
      leader === null ? "No node leads" : `Node ${leader} leads in term ${term}`,
    nodeup: ({ node }) => `Node ${node} runs`,
    nodedown: ({ node }) => `Node ${node} was killed`,
    halted: ({ node, reason }) => `Node ${node} halted: ${reason.message}`,
    amnesia: ({ node }) => `Node ${node} lost its storage`,
    memberchange: ({ members }) =>
      `Voters: ${members.flatMap(({ id, voter }) => (voter ? [id] : [])).join(", ")}`,
    network: ({ rules }) =>
      rules.length === 0 ? "The network is whole" : `Rules on ${rules.length} links`,
  };

export type Told = ClusterListener<keyof ClusterEvents>;
