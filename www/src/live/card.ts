/** A node's card. */

import { make, setAttribute, setEnabled, setText } from "../dom.js";
import { bytes } from "../words/common.js";
import { sentences, standing, standingOut } from "../words/live.js";
import type { NodeModel } from "./model.js";

/** What a visitor can do to a node. */
export interface CardActions {
  kill(id: number): void;
  start(id: number): void;
  cut(id: number, off: boolean): void;
  lead(id: number): void;
  remove(id: number): void;
  evict(id: number): void;
  freeze(id: number): void;
}

/** What a card shows beside its node. */
export interface CardContext {
  readonly open: boolean;
  /** The nodes have databases. */
  readonly stored: boolean;
  /** There is no other node. */
  readonly alone: boolean;
  readonly leader: number | null;
}

/** Facts in the order of the card, by name. */
const FACTS = ["Term", "Voted for", "Log", "Committed", "Applied", "On disk"] as const;

export class Card {
  readonly element: HTMLLIElement;
  readonly #article: HTMLElement;
  readonly #badge = make("span", { class: "badge" });
  readonly #cutBadge = make("span", { class: "badge cut" }, "Cut off");
  readonly #partBadge = make("span", { class: "badge part" });
  readonly #trouble = make("p", { class: "error" });
  readonly #facts = new Map(FACTS.map((name) => [name, make("dd", {}, "–")]));
  readonly #written = make("p", { class: "written" });
  readonly #power = make("button", { type: "button" });
  readonly #cut = make("button", { type: "button" }, "Cut off");
  readonly #lead = make("button", { type: "button" }, "Make leader");
  readonly #remove = make("button", { type: "button" }, "Remove");
  readonly #freeze = make("button", { type: "button" }, "Freeze for 5 s");
  readonly #evict = make("button", { type: "button" }, "Delete database");
  #node: NodeModel | undefined;
  #open = false;
  #mayCut = false;
  #mayLead = false;
  #mayFreeze = false;
  #mayEvict = false;

  constructor(id: number, actions: CardActions) {
    const title = make("h3", { id: `node-${id}` }, `Node ${id}`);
    const facts = FACTS.map((name) =>
      make("div", {}, make("dt", {}, name), this.#facts.get(name) ?? ""),
    );
    this.#article = make(
      "article",
      { class: "card", "aria-labelledby": title.id, "data-node": String(id) },
      make("div", { class: "title" }, title, this.#cutBadge, this.#badge, this.#partBadge),
      this.#trouble,
      make("dl", {}, ...facts),
      this.#written,
      make(
        "div",
        { class: "buttons" },
        ...[this.#power, this.#freeze, this.#cut, this.#lead, this.#remove, this.#evict],
      ),
    );
    this.element = make("li", {}, this.#article);
    this.#power.addEventListener("click", () => {
      if (this.#node?.state === "running") actions.kill(id);
      else if (this.#node?.state !== "starting") actions.start(id);
    });
    setAttribute(this.#cut, "aria-label", `Cut off node ${id} from the others`);
    this.#cut.addEventListener("click", () => {
      if (this.#mayCut) actions.cut(id, this.#node?.isCut !== true);
    });
    setAttribute(this.#lead, "aria-label", `Make leader: node ${id}`);
    this.#lead.addEventListener("click", () => {
      if (this.#mayLead) actions.lead(id);
    });
    setAttribute(this.#remove, "aria-label", `Remove node ${id} from the cluster`);
    this.#remove.addEventListener("click", () => {
      if (this.#open) actions.remove(id);
    });
    setAttribute(this.#evict, "aria-label", `Delete database of node ${id}`);
    this.#evict.addEventListener("click", () => {
      if (this.#mayEvict) actions.evict(id);
    });
    setAttribute(this.#freeze, "aria-label", `Freeze for 5 s: node ${id}`);
    this.#freeze.addEventListener("click", () => {
      if (this.#mayFreeze) actions.freeze(id);
    });
  }

  show(node: NodeModel, { open, stored, alone, leader }: CardContext): void {
    this.#node = node;
    this.#open = open;
    const { id, state, status, trouble, isCut } = node;
    const [is, name] = standing(node, leader);
    setAttribute(this.#article, "data-state", is);
    setText(this.#badge, name);
    this.#cutBadge.hidden = !isCut;
    const part = standingOut(node);
    this.#partBadge.hidden = part === "";
    setText(this.#partBadge, part);
    setAttribute(this.#partBadge, "data-part", node.lost === null ? node.part : "lost");
    this.#trouble.hidden = trouble === null;
    if (trouble !== null) setText(this.#trouble, sentences(trouble, "running"));

    const verb = state === "running" ? "Kill" : "Start";
    setText(this.#power, verb);
    setAttribute(this.#power, "aria-label", `${verb} node ${id}`);
    setEnabled(this.#power, state !== "starting");
    setAttribute(this.#cut, "aria-pressed", String(isCut));
    this.#mayCut = open && !alone;
    setEnabled(this.#cut, this.#mayCut);
    this.#mayLead =
      open && is !== "leader" && state === "running" && node.part === "voter" && node.lost === null;
    setEnabled(this.#lead, this.#mayLead);
    setEnabled(this.#remove, open);
    this.#mayEvict = open && stored;
    setEnabled(this.#evict, this.#mayEvict);
    this.#mayFreeze = open && state === "running" && !node.frozen;
    setEnabled(this.#freeze, this.#mayFreeze);

    if (status === null) return;
    const { term, vote, logStart, last, commit, applied, persisted, storage } = status;
    const values: Record<(typeof FACTS)[number], string> = {
      Term: String(term),
      "Voted for": vote === null ? "nobody" : `node ${vote}`,
      Log: last === logStart ? "empty" : `${logStart + 1} to ${last}`,
      Committed: String(commit),
      Applied: String(applied),
      "On disk": String(persisted),
    };
    for (const [name, element] of this.#facts) setText(element, values[name]);
    const written = `${bytes(storage.bytes)} written in ${storage.rounds} transactions since it started`;
    setText(this.#written, state === "running" ? written : "As it was last seen");
  }
}
