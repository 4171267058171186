/** Messages under way, on a canvas over the ring. */

import { flightLabel } from "../words/stage.js";
import { along, HEIGHT, type Point, WIDTH } from "./geometry.js";
import type { Flight, FlightKind, Picture } from "./picture.js";

/** Labels stand beside messages as long as there are no more of them. */
const LABELED = 14;
/** How near a click must be, in the ring's coordinates. */
const REACH = 14;

const KINDS: readonly FlightKind[] = [
  "preVote",
  "vote",
  "append",
  "heartbeat",
  "snapshot",
  "read",
  "other",
  "client",
];

export class Flights {
  readonly element = document.createElement("canvas");
  readonly #context = this.element.getContext("2d");
  readonly #place: (id: number) => Point | undefined;
  #colors = new Map<string, string>();
  #theme = "";
  #shown: Picture | undefined;
  #isClear = true;

  constructor(place: (id: number) => Point | undefined) {
    this.#place = place;
    this.element.className = "flights";
    this.element.setAttribute("aria-hidden", "true");
  }

  /** `steps`: for those who want no motion, messages stand in the middle of their way. */
  show(picture: Picture, steps: boolean): void {
    this.#shown = picture;
    const context = this.#context;
    if (context === null) return;
    const { clientWidth, clientHeight } = this.element;
    const [width, height] = [clientWidth * devicePixelRatio, clientHeight * devicePixelRatio];
    const fits =
      this.element.width === Math.round(width) && this.element.height === Math.round(height);
    if (picture.flights.length === 0 && this.#isClear && fits) return;
    if (!fits) {
      this.element.width = Math.round(width);
      this.element.height = Math.round(height);
    }
    this.#readColors();
    const scale = Math.min(width / WIDTH, height / HEIGHT);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(
      scale,
      0,
      0,
      scale,
      (width - WIDTH * scale) / 2,
      (height - HEIGHT * scale) / 2,
    );
    this.#isClear = picture.flights.length === 0;
    const labeled = picture.flights.length <= LABELED;
    for (const flight of picture.flights) this.#draw(context, flight, picture.at, labeled, steps);
    context.globalAlpha = 1;
  }

  /** The message at a point of the page, if there is one. */
  flightAt(x: number, y: number): Flight | undefined {
    const box = this.element.getBoundingClientRect();
    const scale = Math.min(box.width / WIDTH, box.height / HEIGHT);
    const at = {
      x: (x - box.left - (box.width - WIDTH * scale) / 2) / scale,
      y: (y - box.top - (box.height - HEIGHT * scale) / 2) / scale,
    };
    let nearest: { flight: Flight; distance: number } | undefined;
    for (const flight of this.#shown?.flights ?? []) {
      const point = this.#point(flight, this.#shown?.at ?? 0);
      if (point === undefined) continue;
      const distance = Math.hypot(point.x - at.x, point.y - at.y);
      if (distance <= REACH && distance < (nearest?.distance ?? REACH + 1))
        nearest = { flight, distance };
    }
    return nearest?.flight;
  }

  #point(flight: Flight, at: number): Point | undefined {
    const [from, to] = [this.#place(flight.from), this.#place(flight.to)];
    if (from === undefined || to === undefined) return undefined;
    return along(from, to, part(flight, at));
  }

  #draw(
    context: CanvasRenderingContext2D,
    flight: Flight,
    at: number,
    labeled: boolean,
    steps: boolean,
  ): void {
    const [from, to] = [this.#place(flight.from), this.#place(flight.to)];
    if (from === undefined || to === undefined) return;
    const gone = part(flight, at);
    const { x, y } = along(from, to, steps ? 0.5 : gone);
    const { kind, answer, refuses, entries, lost } = flight;
    const color = this.#colors.get(kind) ?? "gray";
    const radius = kind === "heartbeat" ? 3.5 : entries > 0 ? 7 : 5;
    context.globalAlpha = lost && gone > 0.5 ? Math.max(0, 2 - 2 * gone) : 1;
    context.fillStyle = color;
    context.strokeStyle = color;
    context.lineWidth = 2;
    context.beginPath();
    if (kind === "client" || kind === "snapshot")
      context.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    else if (kind === "vote" || kind === "preVote") {
      context.moveTo(x, y - radius - 2);
      context.lineTo(x + radius + 2, y);
      context.lineTo(x, y + radius + 2);
      context.lineTo(x - radius - 2, y);
      context.closePath();
    } else context.arc(x, y, radius, 0, 2 * Math.PI);
    if (answer) {
      context.fillStyle = this.#colors.get("paper") ?? "white";
      context.fill();
      context.stroke();
    } else context.fill();
    if (refuses || (lost && gone > 0.5)) {
      context.strokeStyle = this.#colors.get("bad") ?? "red";
      context.beginPath();
      context.moveTo(x - 8, y - 8);
      context.lineTo(x + 8, y + 8);
      context.moveTo(x + 8, y - 8);
      context.lineTo(x - 8, y + 8);
      context.stroke();
    }
    if (!labeled) return;
    const label = flightLabel(kind, answer, refuses, entries);
    if (label === "") return;
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = this.#colors.get("ink") ?? "black";
    context.fillText(label, x + radius + 5, y + 4);
  }

  /** The colors of the style sheet, read again when the theme is another one. */
  #readColors(): void {
    const theme = `${document.documentElement.getAttribute("data-theme")}${matchMedia("(prefers-color-scheme: dark)").matches}`;
    if (theme === this.#theme) return;
    this.#theme = theme;
    const style = getComputedStyle(this.element);
    const read = (name: string) => style.getPropertyValue(name).trim();
    this.#colors = new Map(KINDS.map((kind) => [kind, read(`--kind-${kind}`)]));
    for (const [name, property] of [
      ["ink", "--text"],
      ["paper", "--surface"],
      ["bad", "--bad"],
    ] as const)
      this.#colors.set(name, read(property));
  }
}

function part({ sentAt, arrivesAt }: Flight, at: number): number {
  return arrivesAt <= sentAt ? 1 : Math.min(Math.max((at - sentAt) / (arrivesAt - sentAt), 0), 1);
}
