/** The pictures of a cluster: the ring, the messages over it, and the logs. */

import { make, setText } from "../dom.js";
import { sampledText } from "../words/stage.js";
import { Flights } from "./flights.js";
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
  readonly #logs: Logs;
  readonly #sampled = make("p", { class: "sampled" });
  readonly #root: HTMLElement;

  constructor(root: HTMLElement, actions: StageActions) {
    this.#root = root;
    this.#ring = new Ring(actions);
    this.#flights = new Flights((id) => this.#ring.place(id));
    this.#logs = new Logs(actions);
    const ring = make(
      "div",
      { class: "ring" },
      this.#ring.element,
      this.#flights.element,
      this.#sampled,
    );
    ring.addEventListener("click", ({ clientX, clientY }) => {
      const flight = this.#flights.flightAt(clientX, clientY);
      if (flight !== undefined) actions.selectFlight?.(flight.id);
    });
    root.classList.add("stage");
    root.replaceChildren(ring, this.#logs.element, legend());
  }

  /** Called for every frame: what is as it was costs nothing. */
  show(picture: Picture, { selected = null, reducedMotion = false }: StageOptions = {}): void {
    this.#ring.show(picture, selected);
    this.#flights.show(picture, reducedMotion);
    this.#logs.show(picture);
    setText(this.#sampled, sampledText(picture.sampled));
  }

  destroy(): void {
    this.#root.replaceChildren();
  }
}
