/** The pictures of a cluster: the ring, the messages over it, and the logs. */

import { make, setText } from "../dom.js";
import { sampledText } from "../words/stage.js";
import { Flights } from "./flights.js";
import { layoutFor } from "./geometry.js";
import { legend } from "./legend.js";
import { type LogActions, Logs } from "./logs.js";
import type { Picture } from "./picture.js";
import { Ring, type RingActions } from "./ring.js";

export interface StageActions extends RingActions, LogActions {
  selectFlight?(id: number): void;
}

export interface StageOptions {
  readonly selected?: number | null;
  readonly reducedMotion?: boolean;
}

export class StageView {
  readonly #ring: Ring;
  readonly #flights: Flights;
  /** Of each ring. */
  readonly #logs: Logs[] = [];
  readonly #strips = make("div", { class: "strips" });
  readonly #actions: LogActions;
  readonly #sampled = make("p", { class: "sampled" });
  readonly #root: HTMLElement;
  readonly #sizes: ResizeObserver;
  #picture: Picture | undefined;
  #options: StageOptions = {};
  #several = false;

  constructor(root: HTMLElement, actions: StageActions) {
    this.#root = root;
    this.#ring = new Ring(actions);
    this.#flights = new Flights((id) => this.#ring.place(id));
    this.#actions = actions;
    const ring = make(
      "div",
      { class: "ring" },
      this.#ring.element,
      this.#flights.element,
      this.#sampled,
    );
    ring.addEventListener("click", ({ target, clientX, clientY }) => {
      if (target instanceof Element && target.closest(".node") !== null) return;
      const flight = this.#flights.flightAt(clientX, clientY);
      if (flight !== undefined) actions.selectFlight?.(flight.id);
    });
    root.classList.add("stage");
    root.replaceChildren(ring, this.#strips, legend());
    // Sizes are learned when they change: to ask for them in each frame would lay out the page.
    this.#sizes = new ResizeObserver(() => this.#measure());
    this.#sizes.observe(ring);
    this.#sizes.observe(this.#strips);
    this.#measure();
  }

  #measure(): void {
    const width = this.#flights.element.clientWidth;
    const layout = layoutFor(width, this.#several);
    this.#ring.lay(layout);
    this.#flights.lay(layout, width);
    for (const logs of this.#logs) logs.lay(this.#strips.clientWidth);
    if (this.#picture !== undefined) this.show(this.#picture, this.#options);
  }

  /** Called for every frame: what is as it was costs nothing. */
  show(picture: Picture, options: StageOptions = {}): void {
    [this.#picture, this.#options] = [picture, options];
    const several = picture.rings !== undefined;
    if (several !== this.#several) {
      this.#several = several;
      this.#measure();
      return;
    }
    const { selected = null, reducedMotion = false } = options;
    this.#ring.show(picture, selected);
    this.#flights.show(picture, reducedMotion);
    this.#showLogs(picture);
    setText(this.#sampled, sampledText(picture.sampled));
  }

  /** Logs of different groups have nothing in common: each ring has strips of its own. */
  #showLogs(picture: Picture): void {
    const { nodes, rings } = picture;
    const count = rings?.length ?? 1;
    if (this.#logs.length !== count) {
      this.#logs.length = 0;
      for (let at = 0; at < count; at++) {
        const logs = new Logs(this.#actions);
        logs.lay(this.#strips.clientWidth);
        this.#logs.push(logs);
      }
      this.#strips.replaceChildren(...this.#logs.map(({ element }) => element));
    }
    for (const [at, logs] of this.#logs.entries()) {
      const ring = rings?.[at];
      if (ring === undefined) logs.show(nodes);
      else logs.show(nodes.filter(({ id }) => ring.nodes.includes(id)));
    }
  }

  destroy(): void {
    this.#sizes.disconnect();
    this.#root.replaceChildren();
  }
}
