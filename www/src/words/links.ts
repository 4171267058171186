/** What is said of links between nodes. Pure. */

import type { LinkRule } from "quorate";

/** What is wrong with a directed link. */
export function linkWords({ from, to, cut, drop, delay }: LinkRule): string {
  const way = `Node ${from} to node ${to}:`;
  if (cut) return `${way} cut off.`;
  const faults = [
    drop >= 1
      ? "all is lost"
      : drop > 0
        ? `${Math.round(drop * 100)} of 100 messages are lost`
        : "",
    delay > 0 ? `messages come ${delay} ms later` : "",
  ];
  return `${way} ${faults.filter((fault) => fault !== "").join(", ")}.`;
}

export const MEND_LINK = (from: number, to: number) =>
  `Mend the link from node ${from} to node ${to}`;

/** Told where a link changed. */
export function linkNews(
  from: number,
  to: number,
  fault: "cut" | "half" | "slow" | "none",
): string {
  const what = {
    cut: "is cut",
    half: "loses half of all messages",
    slow: "is slow: messages come 500 ms later",
    none: "is as it should be",
  };
  return `the link from node ${from} to node ${to} ${what[fault]}`;
}
