/** What the cluster counted, as figures over time: what happened between two looks. Pure. */

import type { ClusterMetrics, Histogram, NodeMetrics } from "quorate";

/** Between two looks. Latencies are in milliseconds, and null where nothing was committed. */
export interface Point {
  /** When, in seconds since 1970. */
  readonly at: number;
  readonly writes: number;
  readonly messages: number;
  readonly p50: number | null;
  readonly p99: number | null;
}

/** So many points are kept. */
export const MAX_POINTS = 120;

/** The points with one more, if there was a look before. */
export function follow(
  points: readonly Point[],
  before: ClusterMetrics | undefined,
  now: ClusterMetrics,
): readonly Point[] {
  const seconds = before === undefined ? 0 : (now.time - before.time) / 1_000;
  if (before === undefined || seconds <= 0) return points;
  const commits: number[] = [];
  let [count, messages] = [0, 0];
  for (const { id, starts, metrics } of now.nodes) {
    if (metrics === null) continue;
    // One that began anew counts from zero.
    const old = before.nodes.find((node) => node.id === id && node.starts === starts)?.metrics;
    count += metrics.commit.count - (old?.commit.count ?? 0);
    messages += sent(metrics) - (old === undefined || old === null ? 0 : sent(old));
    for (const [at, some] of metrics.commit.counts.entries())
      commits[at] = (commits[at] ?? 0) + some - (old?.commit.counts[at] ?? 0);
  }
  const bounds = now.totals.commit.bounds;
  const point: Point = {
    at: now.time / 1_000,
    writes: Math.max(0, count / seconds),
    messages: Math.max(0, messages / seconds),
    p50: inMs(quantile({ bounds, counts: commits }, 0.5)),
    p99: inMs(quantile({ bounds, counts: commits }, 0.99)),
  };
  return [...points, point].slice(-MAX_POINTS);
}

/** The time below which this share is, in seconds; within a bucket as if all times in it were as frequent. Null for nothing. */
export function quantile(
  { bounds, counts }: Pick<Histogram, "bounds" | "counts">,
  share: number,
): number | null {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all <= 0) return null;
  let below = 0;
  for (const [at, count] of counts.entries()) {
    if (below + count < share * all) {
      below += count;
      continue;
    }
    const from = bounds[at - 1] ?? 0;
    // Of what is above the last bound only that is known.
    const to = bounds[at] ?? from;
    return from + ((share * all - below) / Math.max(1, count)) * (to - from);
  }
  return bounds.at(-1) ?? null;
}

function sent({ messages }: NodeMetrics): number {
  return Object.values(messages.sent).reduce((sum, count) => sum + count, 0);
}

function inMs(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1_000;
}
