/** The links' part of the page: faults of one direction, or of both. */

import type { LinkRule } from "quorate";

import { find, make } from "../dom.js";
import { linkWords, MEND_LINK } from "../words/links.js";
import type { Model } from "./model.js";

/** What can be wrong with a link. */
export type Fault = "cut" | "half" | "slow" | "none";

export type ChangeLink = (from: number, to: number, fault: Fault) => void;

export class LinksView {
  readonly #from = find("link-from", HTMLSelectElement);
  readonly #to = find("link-to", HTMLSelectElement);
  readonly #apply = find("link-apply", HTMLButtonElement);
  readonly #list = find("link-list", HTMLElement);
  readonly #change: ChangeLink;
  #ids = "";
  #shown = "[]";
  #open = false;

  constructor(change: ChangeLink) {
    this.#change = change;
    const fault = find("link-fault", HTMLSelectElement);
    const both = find("link-both", HTMLInputElement);
    find("link", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const [from, to] = [Number(this.#from.value), Number(this.#to.value)];
      if (from === to) return;
      change(from, to, fault.value as Fault);
      if (both.checked) change(to, from, fault.value as Fault);
    });
    for (const select of [this.#from, this.#to])
      select.addEventListener("change", () => this.#enable());
  }

  show({ phase, nodes, rules }: Model): void {
    const ids = nodes.map(({ id }) => id);
    if (ids.join() !== this.#ids) {
      this.#ids = ids.join();
      this.#choose(this.#from, ids, 0);
      this.#choose(this.#to, ids, 1);
    }
    this.#open = phase === "open";
    this.#enable();
    const shown = JSON.stringify(rules);
    if (shown === this.#shown) return;
    this.#shown = shown;
    if (this.#list.contains(document.activeElement)) this.#from.focus();
    this.#list.replaceChildren(...rules.map((rule) => this.#line(rule)));
  }

  #line(rule: LinkRule): HTMLElement {
    const text = make("span", {}, linkWords(rule));
    // What cuts a node off is mended at the node.
    if (rule.cut) return make("li", {}, text);
    const mend = make("button", { type: "button" }, "Mend");
    mend.setAttribute("aria-label", MEND_LINK(rule.from, rule.to));
    mend.addEventListener("click", () => this.#change(rule.from, rule.to, "none"));
    return make("li", {}, text, " ", mend);
  }

  /** Offers these nodes, and keeps what was chosen if it is still there. */
  #choose(select: HTMLSelectElement, ids: readonly number[], otherwise: number): void {
    const before = Number(select.value);
    select.replaceChildren(...ids.map((id) => make("option", { value: String(id) }, `node ${id}`)));
    select.value = String(ids.includes(before) ? before : (ids[otherwise] ?? ids[0] ?? ""));
  }

  /** No node has a link to itself. */
  #enable(): void {
    this.#apply.disabled = !this.#open || this.#from.value === this.#to.value;
  }
}
