/** A node's card. */

import { make, setAttribute, setText } from "./dom.js";
import { type Cell, type NodeModel, ROLE_NAMES, STRIP, strip } from "./model.js";

/** What a visitor can do to a node. */
export interface CardActions {
  kill(id: number): void;
  start(id: number): void;
  cut(id: number, off: boolean): void;
}

/** Facts in the order of the card, by name. */
const FACTS = ["Term", "Voted for", "Log", "Committed", "Applied", "Written"] as const;

export class Card {
  readonly element: HTMLLIElement;
  readonly #badge = make("span", { class: "badge" });
  readonly #trouble = make("p", { class: "error" });
  readonly #facts = new Map(FACTS.map((name) => [name, make("dd")]));
  readonly #cells = Array.from({ length: STRIP }, () => make("span", { class: "cell" }));
  readonly #strip = make("div", { class: "strip", role: "img" }, ...this.#cells);
  readonly #power = make("button", { type: "button" });
  readonly #cut = make("button", { type: "button" }, "Cut off");
  #node: NodeModel | undefined;

  constructor(id: number, actions: CardActions) {
    const title = make("h3", { id: `node-${id}` }, `Node ${id}`);
    const facts = FACTS.map((name) =>
      make("div", {}, make("dt", {}, name), this.#facts.get(name) ?? ""),
    );
    this.element = make(
      "li",
      { class: "card", "aria-labelledby": title.id },
      make("div", { class: "title" }, title, this.#badge),
      this.#trouble,
      this.#strip,
      make("dl", {}, ...facts),
      make("div", { class: "buttons" }, this.#power, this.#cut),
    );
    this.#power.addEventListener("click", () => {
      if (this.#node?.state === "running") actions.kill(id);
      else actions.start(id);
    });
    setAttribute(this.#cut, "aria-label", `Cut off node ${id} from the others`);
    this.#cut.addEventListener("click", () => {
      actions.cut(id, this.#cut.getAttribute("aria-pressed") !== "true");
    });
  }

  show(node: NodeModel, isCut: boolean): void {
    this.#node = node;
    const { id, state, status } = node;
    const runs = state === "running";
    const role = status?.role ?? "follower";
    setAttribute(this.element, "data-state", runs ? role : state);
    setText(this.#badge, runs ? ROLE_NAMES[role] : STATES[state]);
    this.#trouble.hidden = node.trouble === null;
    if (node.trouble !== null)
      setText(this.#trouble, `${node.trouble.text} (${node.trouble.code})`);

    setText(this.#power, runs ? "Kill" : "Start");
    setAttribute(this.#power, "aria-label", `${runs ? "Kill" : "Start"} node ${id}`);
    this.#power.disabled = state === "starting";
    setAttribute(this.#cut, "aria-pressed", String(isCut));

    if (status === null) return;
    const { term, vote, logStart, last, lastTerm, commit, applied, storage } = status;
    const values: Record<(typeof FACTS)[number], string> = {
      Term: String(term),
      "Voted for": vote === null ? "nobody" : `node ${vote}`,
      Log: last === 0 ? "empty" : `${logStart + 1} to ${last}, term ${lastTerm}`,
      Committed: String(commit),
      Applied: String(applied),
      Written: `${bytes(storage.bytes)}, ${storage.rounds} writes`,
    };
    for (const [name, element] of this.#facts) setText(element, values[name]);
    this.#showStrip(strip(status), last, commit);
  }

  #showStrip(cells: readonly Cell[], last: number, commit: number): void {
    const empty = this.#cells.length - cells.length;
    for (const [at, element] of this.#cells.entries()) {
      setAttribute(element, "class", `cell ${cells[at - empty] ?? ""}`);
    }
    const open = last - commit;
    const rest = open > 0 ? `, ${open} not committed` : "";
    setAttribute(this.#strip, "aria-label", `Log: ${last} entries${rest}`);
  }
}

const STATES = {
  starting: "Starting…",
  running: "Running",
  killed: "Killed",
  halted: "Halted",
} as const;

function bytes(count: number): string {
  if (count < 1_000) return `${count} B`;
  return count < 1_000_000
    ? `${(count / 1_000).toFixed(1)} KB`
    : `${(count / 1_000_000).toFixed(1)} MB`;
}
