/** What the signs of the pictures mean. */

import { make } from "../dom.js";
import { KINDS, LEGEND } from "../words/stage.js";
import type { FlightKind } from "./picture.js";

export function legend(): HTMLElement {
  const kind = (name: FlightKind) =>
    make("span", {}, make("i", { class: "dot", "data-kind": name }), KINDS[name]);
  const cell = (name: "committed" | "persisted" | "pending" | "compacted") =>
    make("span", {}, make("i", { class: "cell", "data-cell": name }), LEGEND[name]);
  return make(
    "div",
    { class: "legend" },
    make(
      "p",
      {},
      ...(["vote", "preVote", "append", "heartbeat", "snapshot", "read", "client"] as const).map(
        kind,
      ),
      make("span", {}, LEGEND.answers),
    ),
    make(
      "p",
      {},
      make("span", {}, LEGEND.logs),
      ...(["committed", "persisted", "pending", "compacted"] as const).map(cell),
      make("span", {}, LEGEND.timer),
    ),
  );
}
