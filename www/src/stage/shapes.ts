/** The shape of a message, as a path around the origin: what it is about is not told by color alone. Pure. */

import type { FlightKind } from "./picture.js";

export const KINDS: readonly FlightKind[] = [
  "vote",
  "preVote",
  "append",
  "heartbeat",
  "snapshot",
  "read",
  "client",
  "other",
];

/** The path of a kind. One that carries entries is larger. */
export function shapeOf(kind: FlightKind, entries: number): string {
  switch (kind) {
    case "vote":
      return "M0-8L8 0L0 8L-8 0Z";
    case "preVote":
      return "M0-8L5 0L0 8L-5 0Z";
    case "append":
      return circle(entries > 0 ? 7 : 5);
    case "heartbeat":
      return circle(3.5);
    case "snapshot":
      return "M-7-7H7V7H-7Z";
    case "read":
      return "M0-7L7 6H-7Z";
    case "client":
      return "M-4-7H4L8 0L4 7H-4L-8 0Z";
    case "other":
      return "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z";
  }
}

/** Over a refusal, and over what is lost. */
export const CROSS = "M-8-8L8 8M8-8L-8 8";

function circle(radius: number): string {
  return `M${-radius} 0A${radius} ${radius} 0 1 1 ${radius} 0A${radius} ${radius} 0 1 1 ${-radius} 0Z`;
}
