/** What the signs of the pictures mean. */

import { make } from "../dom.js";
import { KINDS as KIND_WORDS, LEGEND, ROLE_SIGNS } from "../words/stage.js";
import type { FlightKind } from "./picture.js";
import { CROSS, KINDS, shapeOf } from "./shapes.js";

const CELLS = ["committed", "persisted", "pending", "compacted"] as const;
const SVG = "http://www.w3.org/2000/svg";

/** Open where there is room for it. */
export function legend(): HTMLElement {
  const paper = "var(--surface)";
  const room = matchMedia("(min-width: 48rem)").matches ? { open: "" } : {};
  return make(
    "details",
    { class: "legend", ...room },
    make("summary", {}, LEGEND.title),
    group(
      LEGEND.nodes,
      ...ROLE_SIGNS.map(({ sign, name }) => make("span", {}, `${sign} ${name}`)),
      make("span", {}, LEGEND.timer),
    ),
    group(
      LEGEND.messages,
      ...KINDS.map((kind) => entry(KIND_WORDS[kind], [shapeOf(kind, 1), color(kind), color(kind)])),
      entry(LEGEND.answer, [shapeOf("vote", 0), paper, color("vote")]),
      entry(
        LEGEND.refused,
        [shapeOf("vote", 0), paper, color("vote")],
        [CROSS, "none", "var(--bad)"],
      ),
    ),
    group(
      LEGEND.logs,
      ...CELLS.map((name) =>
        make("span", {}, make("i", { class: "sample", "data-cell": name }), LEGEND[name]),
      ),
      make("span", {}, LEGEND.marks),
    ),
  );
}

function group(title: string, ...parts: HTMLElement[]): HTMLElement {
  return make("p", {}, make("b", {}, title), ...parts);
}

const color = (kind: FlightKind) => `var(--kind-${kind})`;

/** A few paths, each with what fills and what strokes it, and their meaning. */
function entry(
  words: string,
  ...paths: readonly (readonly [path: string, fill: string, stroke: string])[]
): HTMLElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "-10 -10 20 20");
  svg.setAttribute("aria-hidden", "true");
  for (const [d, fill, stroke] of paths) {
    const path = document.createElementNS(SVG, "path");
    for (const [name, value] of Object.entries({ d, "stroke-width": "2" }))
      path.setAttribute(name, value);
    path.style.fill = fill;
    path.style.stroke = stroke;
    svg.append(path);
  }
  return make("span", {}, svg, words);
}
