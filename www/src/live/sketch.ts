/** The ring, plainly: nodes, their timers, messages under way. Keeps what it made, and changes what differs. */

import { setAttribute, setText } from "../dom.js";
import type { Flight, NodePicture, Picture } from "../stage/picture.js";

const [SIZE, MIDDLE, RADIUS, NODE] = [400, 200, 140, 30];
const SVG = "http://www.w3.org/2000/svg";

export class SketchView {
  readonly #svg = draw("svg", {
    viewBox: `0 0 ${SIZE} ${SIZE}`,
    class: "sketch",
    "aria-hidden": "true",
  });
  readonly #links = draw("g", {});
  readonly #marks = draw("g", {});
  readonly #dots = draw("g", {});
  readonly #nodes = new Map<number, NodeMark>();
  readonly #flights: SVGElement[] = [];

  constructor(root: HTMLElement) {
    this.#svg.append(this.#links, this.#marks, this.#dots);
    root.replaceChildren(this.#svg);
  }

  show({ at, nodes, flights, links }: Picture): void {
    const places = placesOf(nodes);
    for (const [id, mark] of this.#nodes) {
      if (places.has(id)) continue;
      mark.root.remove();
      this.#nodes.delete(id);
    }
    for (const node of nodes) {
      let mark = this.#nodes.get(node.id);
      if (mark === undefined) {
        mark = new NodeMark(node.id);
        this.#nodes.set(node.id, mark);
        this.#marks.append(mark.root);
      }
      mark.show(node, places.get(node.id) ?? CENTER, at);
    }
    this.#links.replaceChildren(
      ...links.map(({ from, to, cut }) => {
        const [a, b] = [places.get(from) ?? CENTER, places.get(to) ?? CENTER];
        return draw("line", {
          x1: a.x,
          y1: a.y,
          x2: b.x,
          y2: b.y,
          class: cut ? "link cut" : "link",
        });
      }),
    );
    for (const [place, flight] of flights.entries()) this.#fly(place, flight, places, at);
    for (const dot of this.#flights.slice(flights.length))
      setAttribute(dot, "visibility", "hidden");
  }

  destroy(): void {
    this.#svg.remove();
  }

  #fly(place: number, flight: Flight, places: ReadonlyMap<number, Point>, at: number): void {
    let dot = this.#flights[place];
    if (dot === undefined) {
      dot = draw("circle", { r: 5 });
      this.#flights[place] = dot;
      this.#dots.append(dot);
    }
    const { from, to, sentAt, arrivesAt, kind, answer, refuses } = flight;
    const [a, b] = [places.get(from) ?? CENTER, places.get(to) ?? CENTER];
    const way = Math.min(1, Math.max(0, (at - sentAt) / (arrivesAt - sentAt)));
    setAttribute(dot, "visibility", "visible");
    setAttribute(
      dot,
      "class",
      `flight ${kind}${answer ? " answer" : ""}${refuses ? " refuses" : ""}`,
    );
    setAttribute(dot, "cx", (a.x + (b.x - a.x) * way).toFixed(1));
    setAttribute(dot, "cy", (a.y + (b.y - a.y) * way).toFixed(1));
  }
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where clients are. */
const CENTER: Point = { x: MIDDLE, y: MIDDLE };

function placesOf(nodes: readonly NodePicture[]): Map<number, Point> {
  return new Map(
    nodes.map(({ id }, at) => {
      const angle = (2 * Math.PI * at) / nodes.length - Math.PI / 2;
      return [id, { x: MIDDLE + RADIUS * Math.cos(angle), y: MIDDLE + RADIUS * Math.sin(angle) }];
    }),
  );
}

class NodeMark {
  readonly root: SVGElement;
  readonly #disc = draw("circle", { r: NODE });
  /** The election timer: full when it was set, and empty when it fires. */
  readonly #timer = draw("circle", {
    r: NODE + 6,
    pathLength: 100,
    class: "timer",
    transform: "rotate(-90)",
  });
  readonly #name = draw("text", { y: -2 });
  readonly #term = draw("text", { y: 14, class: "term" });

  constructor(id: number) {
    this.root = draw("g", { "data-node": id }, this.#disc, this.#timer, this.#name, this.#term);
    setText(this.#name, String(id));
  }

  show({ role, state, term, timer }: NodePicture, { x, y }: Point, at: number): void {
    setAttribute(this.root, "transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    setAttribute(this.root, "class", `mark ${state} ${role}`);
    setText(this.#term, `term ${term}`);
    const left = timer === null ? 0 : Math.max(0, (timer.to - at) / (timer.to - timer.from));
    setAttribute(this.#timer, "stroke-dasharray", `${Math.min(100, left * 100).toFixed(1)} 100`);
  }
}

function draw(
  tag: string,
  attributes: Readonly<Record<string, string | number>>,
  ...children: readonly SVGElement[]
): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}
