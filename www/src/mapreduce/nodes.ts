/** The nodes as cards. Keeps what it made, and changes what differs. */

import { make, setAttribute, setEnabled, setText } from "../dom.js";
import type { Model, NodeModel } from "./model.js";
import { standing } from "./words.js";

export interface NodeActions {
  kill(id: number): void;
  start(id: number): void;
}

export class NodeCards {
  readonly #list: HTMLElement;
  readonly #actions: NodeActions;
  readonly #cards = new Map<number, Card>();

  constructor(list: HTMLElement, actions: NodeActions) {
    this.#list = list;
    this.#actions = actions;
  }

  show({ nodes, leader }: Model): void {
    for (const node of nodes) {
      let card = this.#cards.get(node.id);
      if (card === undefined) {
        card = new Card(node.id, this.#actions);
        this.#cards.set(node.id, card);
        this.#list.append(card.element);
      }
      card.show(node, leader);
    }
  }
}

class Card {
  readonly element: HTMLLIElement;
  readonly #article: HTMLElement;
  readonly #badge = make("span", { class: "badge" });
  readonly #power = make("button", { type: "button" });
  #node: NodeModel | undefined;

  constructor(id: number, { kill, start }: NodeActions) {
    const title = make("h3", { id: `node-${id}` }, `Node ${id}`);
    this.#article = make(
      "article",
      { class: "card", "aria-labelledby": title.id },
      make("div", { class: "title" }, title, this.#badge, this.#power),
    );
    this.element = make("li", {}, this.#article);
    this.#power.addEventListener("click", () => {
      if (this.#node?.state === "running") kill(id);
      else if (this.#node?.state !== "starting") start(id);
    });
  }

  show(node: NodeModel, leader: number | null): void {
    this.#node = node;
    const [is, name] = standing(node, leader);
    setAttribute(this.#article, "data-state", is);
    setText(this.#badge, name);
    const verb = node.state === "running" ? "Kill" : "Start";
    setText(this.#power, verb);
    setAttribute(this.#power, "aria-label", `${verb} node ${node.id}`);
    setEnabled(this.#power, node.state !== "starting");
  }
}
