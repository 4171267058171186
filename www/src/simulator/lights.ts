/** The invariants as lights: what is checked after every event, and whether it holds at this moment. */

import { make, setAttribute, setText } from "../dom.js";
import type { Failure } from "../sim/chunk.js";
import type { Moment } from "../sim/film.js";
import { failureText, LIGHTS } from "../words/simulator.js";

export class Lights {
  readonly element: HTMLElement;
  readonly #summary = make("p", { class: "lights-summary" });
  readonly #list = make("ul", { class: "lights" });
  readonly #text = make("p", { class: "error" });
  #names: readonly string[] = [];
  readonly #lights = new Map<string, HTMLLIElement>();

  constructor() {
    this.element = make(
      "div",
      {},
      this.#summary,
      this.#text,
      make("details", {}, make("summary", {}, LIGHTS.each), this.#list),
    );
  }

  /** What is checked. */
  list(names: readonly string[]): void {
    if (names.length === this.#names.length) return;
    this.#names = names;
    this.#lights.clear();
    for (const name of names)
      this.#lights.set(
        name,
        make(
          "li",
          {},
          make("i", { "aria-hidden": "true" }),
          name,
          make("span", { class: "unseen" }),
        ),
      );
    this.#list.replaceChildren(...this.#lights.values());
  }

  show(failure: Failure | null, moment: Moment): void {
    const broken = failure !== null && failure.event <= moment.event ? failure : null;
    const summary = broken === null ? LIGHTS.all(this.#names.length) : LIGHTS.one(broken.property);
    setText(this.#summary, summary);
    setAttribute(this.#summary, "data-state", broken === null ? "holds" : "broken");
    setText(this.#text, broken === null ? "" : failureText(broken));
    for (const [name, light] of this.#lights) {
      const state = broken?.property === name ? "broken" : "holds";
      setAttribute(light, "data-state", state);
      setText(light.lastElementChild as Element, ` ${LIGHTS[state]}`);
    }
  }
}
