/** Shows the model. Keeps what it made, and changes what differs. */

import { Card, type CardActions } from "./card.js";
import { find, make, setAttribute, setText } from "./dom.js";
import { advice, type Happening, type Model, type Row, summary } from "./model.js";

/** What a visitor can do. */
export interface Actions extends CardActions {
  call(what: "put" | "get" | "delete", key: string, value: string): void;
  heal(): void;
  retry(): void;
}

export class View {
  readonly #actions: Actions;
  readonly #summary = find("summary", HTMLElement);
  readonly #trouble = find("trouble", HTMLElement);
  readonly #troubleText = find("trouble-text", HTMLElement);
  readonly #troubleAdvice = find("trouble-advice", HTMLElement);
  readonly #nodes = find("nodes", HTMLUListElement);
  readonly #network = find("network", HTMLElement);
  readonly #heal = find("heal", HTMLButtonElement);
  readonly #answer = find("answer", HTMLElement);
  readonly #caption = find("entries-caption", HTMLElement);
  readonly #entries = find("entries", HTMLElement);
  readonly #events = find("events", HTMLElement);
  readonly #buttons: readonly HTMLButtonElement[];
  readonly #cards = new Map<number, Card>();
  #rows: readonly Row[] = [];
  #newest = 0;

  constructor(actions: Actions) {
    this.#actions = actions;
    const form = find("call", HTMLFormElement);
    const key = find("key", HTMLInputElement);
    const value = find("value", HTMLInputElement);
    this.#buttons = [...form.querySelectorAll("button")];
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const what = event.submitter?.getAttribute("value");
      if (what === "get" || what === "delete") actions.call(what, key.value, value.value);
      else actions.call("put", key.value, value.value);
    });
    this.#heal.addEventListener("click", () => actions.heal());
    find("retry", HTMLButtonElement).addEventListener("click", () => actions.retry());
  }

  show(model: Model): void {
    const { phase, trouble, nodes, cut, answer } = model;
    setText(this.#summary, summary(model));
    setAttribute(document.body, "data-phase", phase);
    this.#trouble.hidden = trouble === null;
    if (trouble !== null) {
      setText(this.#troubleText, `${trouble.text} (${trouble.code})`);
      setText(this.#troubleAdvice, advice(trouble.code));
    }
    for (const button of this.#buttons) button.disabled = phase !== "open";
    for (const node of nodes) this.#card(node.id).show(node, cut.includes(node.id));
    setText(this.#network, cut.length === 0 ? "" : `Cut off from all others: ${cut.join(", ")}.`);
    this.#heal.disabled = phase !== "open" || cut.length === 0;
    setText(this.#answer, answer?.text ?? "");
    setAttribute(this.#answer, "data-kind", answer?.kind ?? "none");
    this.#showStore(model);
    this.#showHappenings(model.happenings);
  }

  #card(id: number): Card {
    const known = this.#cards.get(id);
    if (known !== undefined) return known;
    const card = new Card(id, this.#actions);
    this.#cards.set(id, card);
    this.#nodes.append(card.element);
    return card;
  }

  #showStore({ store, phase }: Model): void {
    const { entries, count, revision, stale } = store;
    const some = entries.length < count ? `, the first ${entries.length} shown` : "";
    const age = stale ? "; the cluster does not answer now" : "";
    const keys = count === 1 ? "1 key" : `${count} keys`;
    setText(this.#caption, phase === "open" ? `${keys} at revision ${revision}${some}${age}` : "");
    if (entries === this.#rows) return;
    this.#rows = entries;
    this.#entries.replaceChildren(
      ...entries.map(({ key, value, revision, changes }) =>
        make(
          "tr",
          {},
          make("th", { scope: "row" }, key),
          make("td", {}, value),
          make("td", { class: "number" }, String(revision)),
          make("td", { class: "number" }, String(changes)),
        ),
      ),
    );
  }

  #showHappenings(happenings: readonly Happening[]): void {
    const fresh = happenings.filter(({ number }) => number > this.#newest);
    this.#newest = happenings[0]?.number ?? this.#newest;
    this.#events.prepend(
      ...fresh.map(({ at, kind, text }) =>
        make("li", { "data-kind": kind }, make("time", {}, clock(at)), make("span", {}, text)),
      ),
    );
    while (this.#events.childElementCount > happenings.length) this.#events.lastChild?.remove();
  }
}

/** Minutes, seconds and tenths since the page was opened. */
function clock(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  return `${minutes}:${((ms % 60_000) / 1_000).toFixed(1).padStart(4, "0")}`;
}
