/**
 * What moves: election timers that drain, and messages under way, on a canvas over the ring. The ring itself is drawn anew only where a
 * node is another one: to draw all of it for each frame would keep a core busy.
 */

import { flightLabel } from "../words/stage.js";
import {
  along,
  bend,
  type Layout,
  LINK_LABEL,
  NODE_RADIUS,
  type Point,
  step,
  WIDE,
} from "./geometry.js";
import { type Box, labelPlaces } from "./labels.js";
import type { Flight, NodePicture, Picture, Role } from "./picture.js";
import { CROSS, KINDS, shapeOf } from "./shapes.js";

/** Labels stand beside messages as long as there are no more of them. */
const LABELED = 14;
/** How near a click must be, in the ring's coordinates. */
const REACH = 14;
/** For those who want no motion a timer drains in so many steps. */
const TIMER_STEPS = 8;
/** After which part of its way a message that is lost bears its cross. */
const LOST = 0.5;

/** Half of the side of what a message is drawn in. */
const MARK = 8;
/** Half of the width of the words at a link. */
const LINK_WORDS = 32;
const TIMER_RADIUS = NODE_RADIUS + 7;
const TIMER_WIDTH = 3.5;

/** What part of its time a node's election timer has left, from 0 to 1. */
export function timeLeft(
  { timer, state }: Pick<NodePicture, "timer" | "state">,
  at: number,
): number {
  if (timer === null || state !== "running" || timer.to <= timer.from) return 0;
  return Math.min(Math.max((timer.to - at) / (timer.to - timer.from), 0), 1);
}

const ROLE_COLORS: Readonly<Record<Role, string>> = {
  follower: "--role-follower",
  preCandidate: "--role-candidate",
  candidate: "--role-candidate",
  leader: "--role-leader",
};

export class Motion {
  readonly element = document.createElement("canvas");
  readonly #context = this.element.getContext("2d");
  readonly #place: (id: number) => Point | undefined;
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  readonly #shapes = new Map(
    KINDS.flatMap((kind) =>
      [0, 1].map((entries) => [key(kind, entries), new Path2D(shapeOf(kind, entries))] as const),
    ),
  );
  readonly #cross = new Path2D(CROSS);
  #colors = new Map<string, string>();
  #theme = "";
  #layout = WIDE;
  #scale = 1;
  #shown: Picture | undefined;
  #steps = false;
  #isClear = true;

  constructor(place: (id: number) => Point | undefined) {
    this.#place = place;
    this.element.className = "motion";
    this.element.setAttribute("aria-hidden", "true");
  }

  /** Covers a ring of this layout, so many pixels wide. */
  lay(layout: Layout, width: number): void {
    this.#layout = layout;
    this.#scale = width / layout.width;
    this.element.width = Math.round(width * devicePixelRatio);
    this.element.height = Math.round(layout.height * this.#scale * devicePixelRatio);
    this.#isClear = true;
  }

  /** `steps`: for those who want no motion, messages are arrows, and stand at one of three places of their way; timers drain in steps. */
  show(picture: Picture, steps: boolean): void {
    [this.#shown, this.#steps] = [picture, steps];
    const context = this.#context;
    const { flights, nodes, at } = picture;
    const drains = nodes.some((node) => timeLeft(node, at) > 0);
    const nothing = flights.length === 0 && !drains;
    if (context === null || (nothing && this.#isClear)) return;
    this.#readColors();
    const scale = this.#scale * devicePixelRatio;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, this.#layout.width, this.#layout.height);
    this.#isClear = nothing;
    for (const node of nodes) this.#drain(context, node, at);
    for (const flight of flights) this.#draw(context, flight, at);
    context.globalAlpha = 1;
    if (flights.length <= LABELED) this.#label(context, picture);
  }

  /** The message at a point of the page, if there is one. */
  flightAt(x: number, y: number): Flight | undefined {
    const box = this.element.getBoundingClientRect();
    const at = { x: (x - box.left) / this.#scale, y: (y - box.top) / this.#scale };
    let nearest: Flight | undefined;
    let distance = REACH;
    for (const flight of this.#shown?.flights ?? []) {
      const point = this.#way(flight, this.#part(flight, this.#shown?.at ?? 0));
      if (point === undefined) continue;
      const away = Math.hypot(point.x - at.x, point.y - at.y);
      if (away <= distance) [nearest, distance] = [flight, away];
    }
    return nearest;
  }

  /** Which part of its way a message has behind it, as it is drawn. */
  #part({ sentAt, arrivesAt }: Flight, at: number): number {
    const gone = arrivesAt <= sentAt ? 1 : (at - sentAt) / (arrivesAt - sentAt);
    return this.#steps ? step(gone) : Math.min(Math.max(gone, 0), 1);
  }

  /** How much is left of the time until a node campaigns. */
  #drain(context: CanvasRenderingContext2D, node: NodePicture, at: number): void {
    const time = timeLeft(node, at);
    const left = this.#steps ? Math.ceil(time * TIMER_STEPS) / TIMER_STEPS : time;
    const place = this.#place(node.id);
    if (left === 0 || place === undefined) return;
    const start = -Math.PI / 2;
    context.strokeStyle = this.#color(node.role);
    context.lineWidth = TIMER_WIDTH;
    context.beginPath();
    context.arc(place.x, place.y, TIMER_RADIUS, start, start + left * 2 * Math.PI);
    context.stroke();
  }

  #draw(context: CanvasRenderingContext2D, flight: Flight, at: number): void {
    const [from, to] = [this.#place(flight.from), this.#place(flight.to)];
    if (from === undefined || to === undefined) return;
    const { kind, answer, refuses, entries, lost } = flight;
    const gone = this.#part(flight, at);
    const shape = this.#shapes.get(key(kind, entries)) as Path2D;
    const color = this.#color(kind);
    const { x, y } = along(from, to, gone);
    const gets = lost && gone >= LOST;
    context.globalAlpha = gets && !this.#steps ? Math.max(0, (1 - gone) / (1 - LOST)) : 1;
    context.strokeStyle = color;
    context.lineWidth = 2;
    if (this.#steps) this.#arrow(context, from, to);
    context.translate(x, y);
    context.fillStyle = answer ? this.#color("paper") : color;
    context.fill(shape);
    // An edge of paper keeps messages apart that meet.
    if (!answer) {
      context.strokeStyle = this.#color("paper");
      context.lineWidth = 1;
    }
    context.stroke(shape);
    if (refuses || gets) {
      context.strokeStyle = this.#color("bad");
      context.lineWidth = 2;
      context.stroke(this.#cross);
    }
    context.translate(-x, -y);
  }

  /** The words beside messages, where they can be read. */
  #label(context: CanvasRenderingContext2D, { flights, links, nodes, at }: Picture): void {
    context.font = "600 12px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = this.#color("paper");
    context.fillStyle = this.#color("ink");
    const labels = flights.map(({ kind, answer, refuses, entries }) =>
      flightLabel(kind, answer, refuses, entries),
    );
    const marks = flights.map((flight) => this.#way(flight, this.#part(flight, at)));
    const widths = labels.map((label) => context.measureText(label).width);
    const taken = [
      boxes(marks, MARK, MARK),
      boxes(
        links.map((link) => this.#way(link, LINK_LABEL)),
        LINK_WORDS,
        MARK,
      ),
      boxes(
        nodes.map(({ id }) => this.#place(id)),
        TIMER_RADIUS,
        TIMER_RADIUS,
      ),
    ].flat();
    for (const [which, place] of labelPlaces(marks, widths, taken).entries()) {
      if (place === undefined) continue;
      const label = labels[which] as string;
      context.strokeText(label, place.x, place.y);
      context.fillText(label, place.x, place.y);
    }
  }

  /** The point of a way between two nodes after a part of it; nothing if one of them has no place. */
  #way(
    { from, to }: { readonly from: number; readonly to: number },
    part: number,
  ): Point | undefined {
    const [start, end] = [this.#place(from), this.#place(to)];
    return start === undefined || end === undefined ? undefined : along(start, end, part);
  }

  /** The whole way, with a head near its end. */
  #arrow(context: CanvasRenderingContext2D, from: Point, to: Point): void {
    const [start, before, end] = [along(from, to, 0), along(from, to, 0.94), along(from, to, 1)];
    const over = bend(from, to);
    context.lineWidth = 1.25;
    context.beginPath();
    context.moveTo(start.x, start.y);
    context.quadraticCurveTo(over.x, over.y, end.x, end.y);
    const angle = Math.atan2(end.y - before.y, end.x - before.x);
    for (const side of [-0.45, 0.45]) {
      context.moveTo(end.x, end.y);
      context.lineTo(end.x - 9 * Math.cos(angle + side), end.y - 9 * Math.sin(angle + side));
    }
    context.stroke();
    context.lineWidth = 2;
  }

  #color(name: string): string {
    return this.#colors.get(name) ?? "gray";
  }

  /** The colors of the style sheet, read again when the theme is another one. */
  #readColors(): void {
    const theme = `${document.documentElement.dataset.theme} ${this.#dark.matches}`;
    if (theme === this.#theme) return;
    this.#theme = theme;
    const style = getComputedStyle(this.element);
    const read = (name: string) => style.getPropertyValue(name).trim();
    this.#colors = new Map(KINDS.map((kind) => [kind, read(`--kind-${kind}`)]));
    for (const [role, property] of Object.entries(ROLE_COLORS))
      this.#colors.set(role, read(property));
    for (const [name, property] of [
      ["ink", "--text"],
      ["paper", "--surface"],
      ["bad", "--bad"],
    ] as const)
      this.#colors.set(name, read(property));
  }
}

function boxes(
  middles: readonly (Point | undefined)[],
  halfWidth: number,
  halfHeight: number,
): Box[] {
  return middles.flatMap((middle) => (middle ? [{ ...middle, halfWidth, halfHeight }] : []));
}

function key(kind: string, entries: number): string {
  return entries > 0 ? `${kind}+` : kind;
}
