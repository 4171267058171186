/** The list of planted bugs: what each breaks, and two ways to find it. */

import { type Planted, planted } from "virtual:planted";
import { find, make, setAttribute, setText } from "../dom.js";
import * as words from "../words/hunt.js";
import type { Found } from "./found.js";
import { linkToFind, linkToScene } from "./settings.js";
import type { Find } from "./tally.js";

export const bugs: readonly Planted[] = planted.filter(({ isBug }) => isBug);

export const titleOf = (name: string): string =>
  bugs.find((bug) => bug.name === name)?.title ?? name;

/** The search for a bug, as it stands or ended. */
export interface Search {
  readonly bug: string;
  readonly isRunning: boolean;
  readonly worlds: number;
  readonly find: Find | undefined;
}

export interface BugMoves {
  search(bug: string): void;
  stop(): void;
}

export class Bugs {
  readonly #cards: ReadonlyMap<string, Card>;

  constructor(moves: BugMoves) {
    this.#cards = new Map(bugs.map((bug) => [bug.name, new Card(bug, moves)]));
    find("bugs", HTMLUListElement).append(...[...this.#cards.values()].map((card) => card.element));
  }

  show(found: Found, search: Search | undefined): void {
    const known = bugs.filter(({ name }) => found.has(name));
    setText(find("score", HTMLElement), words.score(known.length, bugs.length));
    for (const [name, card] of this.#cards) {
      const finder = found.get(name);
      card.mark(finder === undefined ? "" : words.foundBy(finder));
      card.show(search?.bug === name ? search : undefined);
    }
  }
}

class Card {
  readonly element: HTMLLIElement;
  readonly #name: string;
  readonly #badge = make("span", { class: "badge" });
  readonly #button = make("button", { type: "button" }, words.SEARCH);
  readonly #state = make("p", { class: "search" });
  #link: HTMLAnchorElement | undefined;
  #isRunning = false;

  constructor(bug: Planted, moves: BugMoves) {
    const { name, title, breaks, paper, scene } = bug;
    this.#name = name;
    const hand = make("a", { class: "button", href: linkToScene(name, scene) }, words.FIND_IT);
    const titleId = `bug-${name}`;
    for (const [at, element] of [hand, this.#button].entries()) {
      element.id = `${titleId}-${at}`;
      element.setAttribute("aria-labelledby", `${element.id} ${titleId}`);
    }
    this.#button.addEventListener("click", () =>
      this.#isRunning ? moves.stop() : moves.search(name),
    );
    this.element = make(
      "li",
      { "data-bug": name },
      make("div", { class: "head" }, make("h3", { id: titleId }, title), this.#badge),
      make("p", {}, breaks),
      make("p", { class: "paper" }, paper),
      changesOf(bug),
      ...(bug.try === null ? [] : [make("p", { class: "try" }, bug.try)]),
      make("div", { class: "buttons" }, hand, this.#button),
      this.#state,
    );
  }

  mark(text: string): void {
    setText(this.#badge, text);
  }

  show(search: Search | undefined): void {
    this.#isRunning = search?.isRunning ?? false;
    setText(this.#button, this.#isRunning ? words.STOP_SEARCH : words.SEARCH);
    setAttribute(this.element, "data-searching", String(this.#isRunning));
    if (search === undefined) {
      this.#state.replaceChildren();
      this.#link = undefined;
    } else if (search.find === undefined) {
      const { isRunning, worlds } = search;
      this.#link = undefined;
      setText(this.#state, isRunning ? words.searching(worlds) : words.unsearched(worlds));
    } else if (this.#link === undefined) {
      const { find, worlds } = search;
      this.#link = make("a", { href: linkToFind(find, this.#name) }, words.OPEN);
      this.#link.setAttribute("aria-label", words.openLabel(find.seed));
      const seen = make("span", { class: "seen" }, find.text);
      this.#state.replaceChildren(words.searched(worlds, find), " ", seen, " ", this.#link);
    }
  }
}

function changesOf({ changes }: Planted): HTMLDetailsElement {
  const line = (sign: "−" | "+", text: string) => {
    const kind = sign === "+" ? "ins" : "del";
    return make(kind, {}, `${sign} ${text}`);
  };
  const blocks = changes.flatMap(({ path, before, after }) => {
    const same = before.filter((text) => after.includes(text));
    const gone = before.filter((text) => !same.includes(text));
    const lines = [
      ...gone.map((text) => line("−", text)),
      ...after.map((text) =>
        same.includes(text) ? make("span", {}, `  ${text}`) : line("+", text),
      ),
    ];
    const code = make("pre", { tabindex: "0", "aria-label": path }, ...lines);
    return [make("p", { class: "path" }, path), code];
  });
  return make(
    "details",
    {},
    make("summary", {}, words.CHANGED),
    ...blocks,
    make("p", { class: "soft" }, words.PLANTED_MEANS),
  );
}
