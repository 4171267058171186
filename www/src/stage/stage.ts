/** The pictures of a cluster: the ring, the messages over it, and the logs. */

import { make, setText } from "../dom.js";
import { sampledText } from "../words/stage.js";
import { layoutFor } from "./geometry.js";
import { legend } from "./legend.js";
import { type LogActions, Logs } from "./logs.js";
import { Motion } from "./motion.js";
import type { Picture } from "./picture.js";
import { Ring, type RingActions } from "./ring.js";

export interface StageActions extends RingActions, LogActions {
  selectFlight?(id: number): void;
}

export interface StageOptions {
  readonly selected?: number | null;
  readonly reducedMotion?: boolean;
  /** The pictures follow each other like a film: nobody reads a log in one frame, so logs are drawn a few times a second. */
  readonly playing?: boolean;
}

/** While a film plays logs are drawn at most once in so many milliseconds. */
const LOGS_MS = 250;

export class StageView {
  readonly #ring: Ring;
  readonly #motion: Motion;
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
  #logsDue = 0;
  #late: ReturnType<typeof setTimeout> | undefined;

  constructor(root: HTMLElement, actions: StageActions) {
    this.#root = root;
    this.#ring = new Ring(actions);
    this.#motion = new Motion((id) => this.#ring.place(id));
    this.#actions = actions;
    const ring = make(
      "div",
      { class: "ring" },
      this.#ring.element,
      this.#motion.element,
      this.#sampled,
    );
    ring.addEventListener("click", ({ target, clientX, clientY }) => {
      if (target instanceof Element && target.closest(".node") !== null) return;
      const flight = this.#motion.flightAt(clientX, clientY);
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
    const width = this.#motion.element.clientWidth;
    const layout = layoutFor(width, this.#several);
    this.#ring.lay(layout);
    this.#motion.lay(layout, width);
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
    const { selected = null, reducedMotion = false, playing = false } = options;
    this.#ring.show(picture, selected);
    this.#motion.show(picture, reducedMotion);
    if (playing) this.#showLogsInTime();
    else this.#showLogs(picture);
    setText(this.#sampled, sampledText(picture.sampled));
  }

  /** The newest picture's logs: now, or as soon as it is time. */
  #showLogsInTime(): void {
    if (this.#late !== undefined) return;
    const wait = this.#logsDue - performance.now();
    const show = () => {
      this.#late = undefined;
      this.#logsDue = performance.now() + LOGS_MS;
      if (this.#picture !== undefined) this.#showLogs(this.#picture);
    };
    if (wait <= 0) show();
    else this.#late = setTimeout(show, wait);
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
    clearTimeout(this.#late);
    this.#root.replaceChildren();
  }
}
