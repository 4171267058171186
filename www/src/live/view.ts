/** Shows the model. Keeps what it made, and changes what differs. */

import { Announcer } from "../announcer.js";
import { find, make, setAttribute, setEnabled, setText } from "../dom.js";
import { capital, clock, nodeList, shorten } from "../words/common.js";
import { advice, FORBIDDEN, summary, warning } from "../words/live.js";
import { Card, type CardActions } from "./card.js";
import { type ChangeLink, LinksView } from "./links.js";
import { type Happening, isOfStorage, MAX_NODES, type Model, type Row } from "./model.js";

/** What a visitor can do. */
export interface Actions extends CardActions {
  call(what: "put" | "get" | "delete", key: string, value: string): void;
  heal(): void;
  add(): void;
  retry(): void;
  /** Opens a cluster that is stored nowhere. */
  inMemory(): void;
  link: ChangeLink;
}

/** Not announced: what came of a call is told where it is shown, and candidates come and go. */
const UNSPOKEN: ReadonlySet<Happening["kind"]> = new Set(["write", "refused", "role"]);

export class View {
  readonly #actions: Actions;
  readonly #summary = find("summary", HTMLElement);
  readonly #trouble = find("trouble", HTMLElement);
  readonly #troubleText = find("trouble-text", HTMLElement);
  readonly #troubleAdvice = find("trouble-advice", HTMLElement);
  readonly #nodesTitle = find("nodes-title", HTMLElement);
  readonly #nodes = find("nodes", HTMLUListElement);
  readonly #network = find("network", HTMLElement);
  readonly #heal = find("heal", HTMLButtonElement);
  readonly #add = find("add", HTMLButtonElement);
  readonly #warning = find("warning", HTMLElement);
  readonly #answer = find("answer", HTMLElement);
  readonly #caption = find("entries-caption", HTMLElement);
  readonly #entries = find("entries", HTMLElement);
  readonly #events = find("events", HTMLElement);
  readonly #announcer = new Announcer(find("announcer", HTMLElement));
  readonly #buttons: readonly HTMLButtonElement[];
  readonly #inMemory = find("in-memory", HTMLButtonElement);
  readonly #links: LinksView;
  readonly #cards = new Map<number, Card>();
  #rows: readonly Row[] | undefined;
  #newest = 0;
  #mayAdd = false;

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
    this.#add.addEventListener("click", () => {
      if (this.#mayAdd) actions.add();
    });
    find("retry", HTMLButtonElement).addEventListener("click", () => actions.retry());
    this.#inMemory.addEventListener("click", () => actions.inMemory());
    this.#links = new LinksView(actions.link);
  }

  show(model: Model): void {
    const { phase, trouble, nodes, leader, answer } = model;
    const open = phase === "open";
    setText(this.#summary, summary(model));
    setAttribute(document.body, "data-phase", phase);
    // The button that was pressed goes away: the focus goes on to what comes instead.
    const leaves = trouble === null && this.#trouble.contains(document.activeElement);
    this.#trouble.hidden = trouble === null;
    if (leaves) this.#nodesTitle.focus();
    if (trouble !== null) {
      setText(this.#troubleText, `${capital(trouble.text)} (${trouble.code})`);
      const { code, forbidden = false } = trouble;
      setText(this.#troubleAdvice, forbidden ? FORBIDDEN : advice(code, "opening"));
      this.#inMemory.hidden = !isOfStorage(trouble.code);
    }
    const warned = warning(model);
    this.#warning.hidden = warned === "";
    setText(this.#warning, warned);
    const alone = nodes.length === 1;
    const context = { open, stored: model.unstored === null, alone, leader };
    this.#forget(model);
    for (const node of nodes) this.#card(node.id).show(node, context);
    const cut = nodes.filter(({ isCut }) => isCut).map(({ id }) => id);
    setText(this.#network, cut.length === 0 ? "" : `${capital(nodeList(cut))} cut off.`);
    setEnabled(this.#heal, open && model.rules.length > 0);
    this.#mayAdd = open && nodes.length < MAX_NODES;
    setEnabled(this.#add, this.#mayAdd);
    for (const button of this.#buttons) button.disabled = !open;
    setText(this.#answer, answer?.text ?? "");
    setAttribute(this.#answer, "data-kind", answer?.kind ?? "none");
    setAttribute(this.#answer, "data-call", String(answer?.call ?? 0));
    this.#links.show(model);
    this.#showStore(model);
    this.#showHappenings(model.happenings);
  }

  /** Goes to the card of a node. */
  visit(id: number): void {
    this.#cards.get(id)?.element.querySelector("button")?.focus();
  }

  #card(id: number): Card {
    const known = this.#cards.get(id);
    if (known !== undefined) return known;
    const card = new Card(id, this.#actions);
    const next = [...this.#cards].sort(([a], [b]) => a - b).find(([other]) => other > id);
    this.#nodes.insertBefore(card.element, next?.[1].element ?? null);
    this.#cards.set(id, card);
    return card;
  }

  /** Takes the cards away of nodes that are gone. */
  #forget({ nodes }: Model): void {
    for (const [id, { element }] of this.#cards) {
      if (nodes.some((node) => node.id === id)) continue;
      // Whoever pressed a button of it goes on where the others are.
      if (element.contains(document.activeElement)) this.#nodesTitle.focus();
      element.remove();
      this.#cards.delete(id);
    }
  }

  #showStore({ store, phase }: Model): void {
    const { entries, count, revision, stale } = store;
    const some = entries.length < count ? `, the first ${entries.length} shown` : "";
    const age = stale ? "; the cluster does not answer now" : "";
    const keys = count === 1 ? "1 key" : `${count} keys`;
    const none = phase === "open" && !stale ? "Nothing is stored yet" : "Not read so far";
    setText(
      this.#caption,
      revision === 0 ? `${none}${age}` : `${keys} at revision ${revision}${some}${age}`,
    );
    if (entries === this.#rows) return;
    this.#rows = entries;
    this.#entries.replaceChildren(
      ...entries.map(({ key, value, revision, changes }) =>
        make(
          "tr",
          {},
          make("th", { scope: "row" }, shorten(key)),
          value === "" ? make("td", { class: "soft" }, "(empty)") : make("td", {}, shorten(value)),
          make("td", { class: "number" }, String(revision)),
          make("td", { class: "number" }, String(changes)),
        ),
      ),
    );
  }

  #showHappenings(happenings: readonly Happening[]): void {
    const fresh = happenings.filter(({ number }) => number > this.#newest);
    if (fresh.length === 0) return;
    this.#newest = happenings[0]?.number ?? this.#newest;
    this.#events.prepend(
      ...fresh.map(({ at, kind, text }) =>
        make("li", { "data-kind": kind }, make("time", {}, clock(at)), make("span", {}, text)),
      ),
    );
    while (this.#events.childElementCount > happenings.length) this.#events.lastChild?.remove();
    for (const { kind, text } of fresh.reverse()) {
      if (!UNSPOKEN.has(kind)) this.#announcer.say(text);
    }
  }
}
