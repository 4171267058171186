/** The logs of all nodes, aligned by index. */

import { make, setAttribute, setText } from "../dom.js";
import { describeCell, describeLog, LOGS_LABEL } from "../words/stage.js";
import type { NodePicture } from "./picture.js";
import { cellsOf, firstShown } from "./strips.js";

/** How wide a cell is at least, in pixels, and the name before a strip. */
const CELL = 40;
const NAME = 44;
const CELLS_MAX = 24;
/** Terms have so many colors; each has its number, too. */
const HUES = 6;

export interface LogActions {
  selectEntry?(node: number, index: number): void;
}

export class Logs {
  readonly element = make("div", { class: "logs", role: "group", "aria-label": LOGS_LABEL });
  readonly #actions: LogActions;
  readonly #rows = new Map<number, Row>();
  readonly #scale = make("div", { class: "scale", "aria-hidden": "true" });
  #room = 4;
  #cells = 0;
  #first = 0;

  constructor(actions: LogActions) {
    this.#actions = actions;
    this.element.append(this.#scale);
  }

  /** Has so many pixels from now on. */
  lay(width: number): void {
    this.#room = Math.min(Math.max(Math.floor((width - NAME) / CELL), 4), CELLS_MAX);
  }

  show(nodes: readonly NodePicture[]): void {
    const cells = this.#room;
    const first = firstShown(nodes, cells);
    const moved = cells !== this.#cells || first !== this.#first;
    if (moved) {
      [this.#cells, this.#first] = [cells, first];
      this.element.style.setProperty("--cells", String(cells));
      const numbers = Array.from({ length: cells }, (_, at) =>
        make("span", {}, String(first + at)),
      );
      this.#scale.replaceChildren(make("span"), make("div", { class: "numbers" }, ...numbers));
    }
    for (const [id, row] of this.#rows) {
      if (nodes.some((node) => node.id === id)) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
    const leader = nodes.findLast(({ role, state }) => role === "leader" && state === "running");
    for (const node of nodes) {
      const row = this.#rows.get(node.id) ?? this.#newRow(node.id);
      row.show(node, leader, first, cells, moved);
    }
  }

  #newRow(id: number): Row {
    const row = new Row(id, (index) => this.#actions.selectEntry?.(id, index));
    this.#rows.set(id, row);
    const after = [...this.#rows].sort(([a], [b]) => a - b).find(([other]) => other > id);
    this.element.insertBefore(row.element, after?.[1].element ?? null);
    return row;
  }
}

/** What is known of a node to which no leader sends. */
const NO_PEER = { next: 0, matched: 0 };

class Row {
  readonly element: HTMLElement;
  readonly #select: (index: number) => void;
  readonly #strip = make("div", { class: "strip" });
  #cells: HTMLButtonElement[] = [];
  #shown: NodePicture["log"] | undefined;
  #next = 0;
  #matched = 0;

  constructor(id: number, select: (index: number) => void) {
    this.#select = select;
    this.element = make(
      "div",
      { class: "row", "data-node": String(id) },
      make("span", { class: "name" }, `n${id}`),
      this.#strip,
    );
    this.#strip.addEventListener("click", (event) => {
      const cell = (event.target as Element).closest("button");
      const index = Number(cell?.getAttribute("data-index") ?? 0);
      if (index > 0) this.#select(index);
    });
    this.#strip.addEventListener("keydown", (event) => {
      const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      const at = this.#cells.indexOf(document.activeElement as HTMLButtonElement);
      if (by === 0 || at < 0) return;
      event.preventDefault();
      event.stopPropagation();
      this.#cells[Math.min(Math.max(at + by, 0), this.#cells.length - 1)]?.focus();
    });
  }

  show(
    node: NodePicture,
    leader: NodePicture | undefined,
    first: number,
    count: number,
    moved: boolean,
  ): void {
    const { log } = node;
    const { next, matched } = leader?.peers.find(({ id }) => id === node.id) ?? NO_PEER;
    setAttribute(this.element, "data-state", node.state);
    const same = log === this.#shown && next === this.#next && matched === this.#matched;
    if (same && !moved) return;
    [this.#shown, this.#next, this.#matched] = [log, next, matched];
    setAttribute(this.#strip, "aria-label", describeLog(log));
    setAttribute(this.#strip, "role", "group");
    if (this.#cells.length !== count) this.#make(count);
    for (const [at, cell] of cellsOf(log, first, count).entries()) {
      const button = this.#cells[at] as HTMLButtonElement;
      const { index, state, term, text } = cell;
      setAttribute(button, "data-index", String(index));
      setAttribute(button, "data-cell", state);
      setAttribute(button, "data-term", term === 0 ? "none" : String(term % HUES));
      setAttribute(button, "data-marks", marks(log, index, next, matched));
      const [number, words] = button.children as unknown as [Element, Element];
      setText(number, term === 0 ? "" : String(term));
      setText(words, text);
      setAttribute(button, "aria-label", describeCell(cell));
    }
  }

  #make(count: number): void {
    this.#cells = Array.from({ length: count }, (_, at) => {
      const attributes = { type: "button", tabindex: at === 0 ? "0" : "-1" };
      return make(
        "button",
        attributes,
        make("span", { class: "number" }),
        " ",
        make("span", { class: "words" }),
      );
    });
    this.#strip.replaceChildren(...this.#cells);
  }
}

/** The marks of an entry: commit, applied, and what the leader knows to match and sends next. */
function marks(
  { commit, applied }: NodePicture["log"],
  index: number,
  next: number,
  matched: number,
): string {
  const names = [
    [commit, "commit"],
    [applied, "applied"],
    [next, "next"],
    [matched, "matched"],
  ] as const;
  return names
    .filter(([at]) => at === index && at > 0)
    .map(([, name]) => name)
    .join(" ");
}
