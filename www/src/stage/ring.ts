/** The ring of nodes. Draws pictures; changes only what differs. */

import { setAttribute, setText } from "../dom.js";
import {
  CLIENTS as CLIENTS_TEXT,
  describeNode,
  glyph,
  RING_LABEL,
  standing,
  votes,
} from "../words/stage.js";
import { bend, CLIENTS, HEIGHT, NODE_RADIUS, type Point, places, WIDTH } from "./geometry.js";
import type { LinkPicture, NodePicture, Picture } from "./picture.js";

const SVG = "http://www.w3.org/2000/svg";
const TIMER_RADIUS = NODE_RADIUS + 7;

export interface RingActions {
  selectNode?(id: number): void;
}

export class Ring {
  readonly element = make("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "group",
    "aria-label": RING_LABEL,
  });
  readonly #ways = make("g", { class: "ways", "aria-hidden": "true" });
  readonly #links = make("g", { class: "links", "aria-hidden": "true" });
  readonly #nodes = make("g", {});
  readonly #actions: RingActions;
  readonly #faces = new Map<number, Face>();
  #places: ReadonlyMap<number, Point> = new Map();
  #linksDrawn: readonly LinkPicture[] | undefined;

  constructor(actions: RingActions) {
    this.#actions = actions;
    const clients = make("g", { class: "clients", "aria-hidden": "true" });
    clients.append(
      make("rect", { x: CLIENTS.x - 30, y: CLIENTS.y - 13, width: 60, height: 26, rx: 13 }),
      text({ x: CLIENTS.x, y: CLIENTS.y + 4 }, CLIENTS_TEXT),
    );
    this.element.append(this.#ways, clients, this.#links, this.#nodes);
  }

  /** Where a node stands; where the clients are for 0. */
  place(id: number): Point | undefined {
    return id === 0 ? CLIENTS : this.#places.get(id);
  }

  show(picture: Picture, selected: number | null): void {
    const { nodes, links, at } = picture;
    if (nodes.length !== this.#places.size || nodes.some(({ id }) => !this.#places.has(id)))
      this.#seat(nodes);
    const voters = nodes.filter(({ part }) => part === "voter" || part === "leaving").length;
    const majority = Math.floor(voters / 2) + 1;
    for (const node of nodes)
      this.#faces.get(node.id)?.show(node, at, majority, node.id === selected);
    if (links !== this.#linksDrawn) this.#drawLinks(links);
  }

  #seat(nodes: readonly NodePicture[]): void {
    const points = places(nodes.length);
    this.#places = new Map(nodes.map(({ id }, at) => [id, points[at] as Point]));
    this.#ways.replaceChildren(
      ...points.flatMap((from, at) =>
        points
          .slice(at + 1)
          .map((to) => make("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y })),
      ),
    );
    for (const [id, face] of this.#faces) {
      if (this.#places.has(id)) continue;
      face.element.remove();
      this.#faces.delete(id);
    }
    for (const [id, point] of this.#places) {
      const face = this.#faces.get(id) ?? this.#newFace(id);
      face.element.setAttribute("transform", `translate(${point.x} ${point.y})`);
    }
    // The order in the document is that of the ring: so is that of the keyboard.
    this.#nodes.append(
      ...[...this.#places.keys()].map((id) => this.#faces.get(id)?.element as Element),
    );
    this.#linksDrawn = undefined;
  }

  #newFace(id: number): Face {
    const face = new Face(id, () => this.#actions.selectNode?.(id));
    this.#faces.set(id, face);
    return face;
  }

  #drawLinks(links: readonly LinkPicture[]): void {
    this.#linksDrawn = links;
    this.#links.replaceChildren(
      ...links.flatMap(({ from, to, cut }) => {
        const [a, b] = [this.place(from), this.place(to)];
        if (a === undefined || b === undefined) return [];
        const over = bend(a, b);
        const path = `M${a.x} ${a.y}Q${over.x} ${over.y} ${b.x} ${b.y}`;
        const mid = { x: (a.x + b.x) / 4 + over.x / 2, y: (a.y + b.y) / 4 + over.y / 2 };
        return [
          make("path", { d: path, class: cut ? "cut" : "slow" }),
          text({ x: mid.x, y: mid.y + 5 }, cut ? "✕" : "⏳", cut ? "cut" : "slow"),
        ];
      }),
    );
  }
}

/** One node. */
class Face {
  readonly element: SVGGElement;
  readonly #timer = make("circle", {
    r: TIMER_RADIUS,
    class: "timer",
    pathLength: 1,
    transform: "rotate(-90)",
  });
  readonly #name: SVGTextElement;
  readonly #glyph = text({ x: 0, y: -14 }, "", "glyph");
  readonly #term = text({ x: 0, y: 20 }, "", "term");
  readonly #standing = text({ x: 0, y: NODE_RADIUS + 24 }, "", "standing");
  #shown: NodePicture | undefined;
  #majority = 0;
  #left = -1;

  constructor(id: number, select: () => void) {
    this.element = make("g", { class: "node", role: "button", tabindex: 0, "data-node": id });
    this.#name = text({ x: 0, y: 5 }, `n${id}`, "name");
    this.element.append(
      make("circle", { r: TIMER_RADIUS + 5, class: "halo" }),
      make("circle", { r: NODE_RADIUS, class: "body" }),
      this.#timer,
      this.#glyph,
      // Words for who hears them.
      " ",
      this.#name,
      " ",
      this.#term,
      " ",
      this.#standing,
    );
    this.element.addEventListener("click", select);
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      select();
    });
  }

  show(node: NodePicture, at: number, majority: number, selected: boolean): void {
    this.#drain(node, at);
    setAttribute(this.element, "aria-pressed", String(selected));
    // Pictures are immutable: the same one looks the same.
    if (node === this.#shown && majority === this.#majority) return;
    [this.#shown, this.#majority] = [node, majority];
    setAttribute(this.element, "data-role", node.state === "running" ? node.role : "none");
    setAttribute(this.element, "data-state", node.state);
    setAttribute(this.element, "data-part", node.part);
    setText(this.#glyph, glyph(node));
    setText(this.#term, `term ${node.term}`);
    const asked = votes(node, majority);
    setAttribute(this.element, "aria-label", describeNode(node, asked));
    setText(this.#standing, asked === "" ? standing(node) : `${standing(node)}: ${asked}`);
  }

  /** How much is left of the time until the node campaigns. */
  #drain({ timer, state }: NodePicture, at: number): void {
    const left =
      timer === null || state !== "running" || timer.to <= timer.from
        ? 0
        : Math.min(Math.max((timer.to - at) / (timer.to - timer.from), 0), 1);
    const rounded = Math.round(left * 200) / 200;
    if (rounded === this.#left) return;
    this.#left = rounded;
    this.#timer.setAttribute("stroke-dasharray", `${rounded} 1`);
    setAttribute(this.#timer, "data-empty", String(rounded === 0));
  }
}

type Attributes = Readonly<Record<string, string | number>>;

function make<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

function text(at: Point, content: string, name = ""): SVGTextElement {
  const element = make("text", { x: at.x, y: at.y, class: name });
  element.textContent = content;
  return element;
}
