/** The ring of nodes. Draws pictures; changes only what differs. */

import { setAttribute, setText } from "../dom.js";
import {
  CLIENTS as CLIENTS_TEXT,
  describeNode,
  glyph,
  linkLabel,
  RING_LABEL,
  ringTitle,
  standing,
  votes,
  voteText,
} from "../words/stage.js";
import {
  along,
  bend,
  type Layout,
  LINK_LABEL,
  NODE_RADIUS,
  type Point,
  type Seat,
  seats,
  segments,
  WIDE,
} from "./geometry.js";
import type { LinkPicture, NodePicture, Picture, Ring as RingPicture } from "./picture.js";

const SVG = "http://www.w3.org/2000/svg";
const TIMER_RADIUS = NODE_RADIUS + 7;
const VOTES_RADIUS = TIMER_RADIUS + 6;
const HALO_RADIUS = VOTES_RADIUS + 6;

export interface RingActions {
  selectNode?(id: number): void;
}

export class Ring {
  readonly element = make("svg", {
    role: "group",
    "aria-label": RING_LABEL,
  });
  readonly #ways = make("g", { class: "ways", "aria-hidden": "true" });
  readonly #links = make("g", { class: "links", "aria-hidden": "true" });
  readonly #clients = make("g", { class: "clients", "aria-hidden": "true" });
  readonly #nodes = make("g", {});
  readonly #actions: RingActions;
  readonly #faces = new Map<number, Face>();
  readonly #titles = make("g", { class: "titles", "aria-hidden": "true" });
  #seats: ReadonlyMap<number, Seat> = new Map();
  #linksDrawn: readonly LinkPicture[] | undefined;
  #layout: Layout = WIDE;

  constructor(actions: RingActions) {
    this.#actions = actions;
    this.#clients.append(
      make("rect", { x: -34, y: -14, width: 68, height: 28, rx: 6 }),
      text({ x: 0, y: 4.5 }, CLIENTS_TEXT),
    );
    this.lay(WIDE);
    this.element.append(this.#ways, this.#titles, this.#clients, this.#links, this.#nodes);
  }

  /** Takes another shape. */
  lay(layout: Layout): void {
    this.#layout = layout;
    const { width, height, center } = layout;
    this.element.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#clients.setAttribute("transform", `translate(${center.x} ${center.y})`);
    this.#seats = new Map();
  }

  /** Where a node stands; where the clients are for 0. */
  place(id: number): Point | undefined {
    return id === 0 ? this.#layout.center : this.#seats.get(id)?.point;
  }

  show(picture: Picture, selected: number | null): void {
    const { nodes, links, rings } = picture;
    if (nodes.length !== this.#seats.size || nodes.some(({ id }) => !this.#seats.has(id)))
      this.#seat(nodes, rings);
    const majority = majorityOf(nodes, rings);
    for (const node of nodes)
      this.#faces.get(node.id)?.show(node, majority(node.id), node.id === selected);
    if (links !== this.#linksDrawn) this.#drawLinks(links);
  }

  #seat(nodes: readonly NodePicture[], rings: readonly RingPicture[] | undefined): void {
    const groups = rings?.map((ring) => ring.nodes) ?? [nodes.map(({ id }) => id)];
    this.#seats = seats(groups, this.#layout);
    this.#ways.replaceChildren(
      ...groups.flatMap((group) => {
        const points = group.flatMap((id) => this.place(id) ?? []);
        return points.flatMap((from, at) =>
          points
            .slice(at + 1)
            .map((to) => make("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y })),
        );
      }),
    );
    const middles = this.#layout.rings ?? [];
    this.#titles.replaceChildren(
      ...(rings ?? []).flatMap(({ id }, at) => {
        const middle = middles[at];
        return middle === undefined ? [] : [text(middle, ringTitle(id))];
      }),
    );
    for (const [id, face] of this.#faces) {
      if (this.#seats.has(id)) continue;
      face.element.remove();
      this.#faces.delete(id);
    }
    for (const [id, { point, above }] of this.#seats) {
      const face = this.#faces.get(id) ?? this.#newFace(id);
      face.seat(point, above);
    }
    // The order in the document is that of the ring: so is that of the keyboard.
    this.#nodes.append(
      ...[...this.#seats.keys()].map((id) => this.#faces.get(id)?.element as Element),
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
      ...links.flatMap((link) => {
        const [a, b] = [this.place(link.from), this.place(link.to)];
        if (a === undefined || b === undefined) return [];
        const over = bend(a, b);
        const is = link.cut ? "cut" : link.loss > 0 ? "lossy" : "slow";
        const mid = along(a, b, LINK_LABEL);
        return [
          make("path", { d: `M${a.x} ${a.y}Q${over.x} ${over.y} ${b.x} ${b.y}`, class: is }),
          text({ x: mid.x, y: mid.y + 5 }, linkLabel(link), is),
        ];
      }),
    );
  }
}

/** How many votes each node's group needs. */
function majorityOf(
  nodes: readonly NodePicture[],
  rings: readonly RingPicture[] | undefined,
): (id: number) => number {
  const needed = (ids: readonly number[] | undefined) => {
    const voters = nodes.filter(
      ({ id, part }) => (part === "voter" || part === "leaving") && (ids?.includes(id) ?? true),
    );
    return Math.floor(voters.length / 2) + 1;
  };
  if (rings === undefined) {
    const majority = needed(undefined);
    return () => majority;
  }
  const majorities = new Map(
    rings.flatMap((ring) => {
      const majority = needed(ring.nodes);
      return ring.nodes.map((id) => [id, majority] as const);
    }),
  );
  return (id) => majorities.get(id) ?? 1;
}

/** One node. */
class Face {
  readonly element: SVGGElement;
  readonly #body = make("rect", { class: "body" });
  readonly #asked = make("circle", { r: VOTES_RADIUS, class: "asked", transform: "rotate(-90)" });
  readonly #votes = make("circle", { r: VOTES_RADIUS, class: "votes", transform: "rotate(-90)" });
  readonly #glyph = text({ x: 0, y: -14 }, "", "glyph");
  readonly #term = text({ x: 0, y: 20 }, "", "term");
  readonly #standing = text({ x: 0, y: 0 }, "", "standing");
  readonly #vote = text({ x: 0, y: 0 }, "", "vote");
  #shown: NodePicture | undefined;
  #majority = 0;

  constructor(id: number, select: () => void) {
    this.element = make("g", { class: "node", role: "button", tabindex: 0, "data-node": id });
    this.element.append(
      make("circle", { r: HALO_RADIUS, class: "halo" }),
      this.#body,
      this.#asked,
      this.#votes,
      this.#glyph,
      // Words for who hears them.
      " ",
      text({ x: 0, y: 5 }, `n${id}`, "name"),
      " ",
      this.#term,
      " ",
      this.#standing,
      " ",
      this.#vote,
    );
    this.element.addEventListener("click", select);
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      select();
    });
  }

  /** Stands there, with its words on the outer side, where no messages fly. */
  seat({ x, y }: Point, above: boolean): void {
    this.element.setAttribute("transform", `translate(${x} ${y})`);
    this.#standing.setAttribute("y", String(above ? -HALO_RADIUS - 17 : HALO_RADIUS + 12));
    this.#vote.setAttribute("y", String(above ? -HALO_RADIUS - 3 : HALO_RADIUS + 26));
  }

  show(node: NodePicture, majority: number, selected: boolean): void {
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
    setText(this.#standing, standing(node));
    setText(this.#vote, asked === "" ? voteText(node) : asked);
    this.#shape(asked !== "" && node.state === "running");
    this.#count(asked === "" ? 0 : node.votes.length, asked === "" ? 0 : majority);
  }

  /** Who asks for votes is square, the others are round. */
  #shape(asks: boolean): void {
    const half = asks ? NODE_RADIUS - 6 : NODE_RADIUS;
    const attributes = {
      x: -half,
      y: -half,
      width: 2 * half,
      height: 2 * half,
      rx: asks ? 8 : half,
    };
    for (const [name, value] of Object.entries(attributes))
      setAttribute(this.#body, name, String(value));
  }

  /** The votes as segments of the majority that is needed. */
  #count(filled: number, majority: number): void {
    for (const [circle, count] of [
      [this.#votes, filled],
      [this.#asked, majority],
    ] as const) {
      setAttribute(circle, "pathLength", String(Math.max(majority, 1)));
      setAttribute(circle, "stroke-dasharray", segments(count, Math.max(majority, 1)));
    }
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
