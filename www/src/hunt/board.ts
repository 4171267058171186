/** The board of a hunt: what is asked for, figures, and the worlds that failed. */

import { find, make, setAttribute, setEnabled, setText } from "../dom.js";
import * as words from "../words/hunt.js";
import { linkToFind, seedOf, workersOf } from "./settings.js";
import { type Find, pace, type Tally } from "./tally.js";

export interface Wanted {
  readonly bug: string | null;
  readonly first: number;
  readonly workers: number;
}

export interface BoardMoves {
  start(wanted: Wanted): void;
  stop(): void;
  resize(workers: number): void;
  setHidden(goesOn: boolean): void;
}

export class Board {
  readonly #bug = find("bug", HTMLSelectElement);
  readonly #seed = find("seed", HTMLInputElement);
  readonly #workers = find("workers", HTMLInputElement);
  readonly #start = find("start", HTMLButtonElement);
  readonly #stop = find("stop", HTMLButtonElement);
  readonly #figures = new Map(FIGURES.map((id) => [id, find(id, HTMLElement)] as const));
  readonly #kinds = find("kinds", HTMLTableSectionElement);
  readonly #finds = find("finds", HTMLOListElement);
  readonly #usual: number;
  /** The failures that are listed. */
  #listed: readonly Find[] = [];

  /** `cores`: how many workers there are unless the visitor says otherwise. */
  constructor(
    bugs: readonly { readonly name: string; readonly title: string }[],
    cores: number,
    moves: BoardMoves,
  ) {
    this.#usual = cores;
    this.#workers.value = String(cores);
    this.#bug.append(
      make("option", { value: "" }, words.NO_BUG),
      ...bugs.map(({ name, title }) => make("option", { value: name }, title)),
    );
    find("settings", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const wanted = this.#read();
      if (wanted !== null) moves.start(wanted);
    });
    this.#stop.addEventListener("click", () => moves.stop());
    this.#workers.addEventListener("change", () =>
      moves.resize(workersOf(this.#workers.value, this.#usual)),
    );
    const hidden = find("hidden", HTMLInputElement);
    hidden.addEventListener("change", () => moves.setHidden(hidden.checked));
  }

  show(state: words.State, tally: Tally, bug: string | null, now: number): void {
    const isRunning = state !== "waiting" && state !== "ended";
    setText(find("state", HTMLElement), words.STATES[state]);
    setAttribute(find("state", HTMLElement), "data-state", state);
    setEnabled(this.#stop, isRunning);
    setText(this.#start, isRunning ? words.START_ANEW : words.START);
    const texts: Readonly<Record<Figure, string>> = {
      worlds: words.count(tally.worlds),
      pace: words.perSecond(state === "running" ? pace(tally, now) : 0),
      time: words.lived(tally.time),
      events: words.count(tally.events),
      faults: words.count(tally.faults),
      failed: words.count(tally.failed),
    };
    for (const [id, element] of this.#figures) {
      // What it was at last can still be read when it is over.
      if (id !== "pace" || state !== "ended") setText(element, texts[id]);
    }
    setAttribute(find("failed", HTMLElement), "data-any", String(tally.failed > 0));
    this.#showKinds(tally);
    this.#showFinds(state, tally, bug);
  }

  #read(): Wanted | null {
    const first = seedOf(this.#seed.value);
    setText(find("seed-problem", HTMLElement), first === null ? words.BAD_SEED : "");
    setAttribute(this.#seed, "aria-invalid", String(first === null));
    if (first === null) {
      this.#seed.focus();
      return null;
    }
    const workers = workersOf(this.#workers.value, this.#usual);
    this.#workers.value = String(workers);
    return { bug: this.#bug.value === "" ? null : this.#bug.value, first, workers };
  }

  #showKinds({ worlds, failed, broken }: Tally): void {
    const rows: (readonly [string, number])[] = [
      [words.PASSED, worlds - failed],
      ...[...broken].sort(([, a], [, b]) => b - a),
    ];
    while (this.#kinds.rows.length > rows.length) this.#kinds.deleteRow(-1);
    while (this.#kinds.rows.length < rows.length)
      this.#kinds.append(
        make("tr", {}, make("th", { scope: "row" }), make("td", { class: "number" })),
      );
    for (const [at, [name, count]] of rows.entries()) {
      const [head, cell] = this.#kinds.rows[at]?.cells ?? [];
      if (head !== undefined) setText(head, name);
      if (cell !== undefined) setText(cell, words.count(count));
    }
  }

  #showFinds(state: words.State, { finds, failed }: Tally, bug: string | null): void {
    const note =
      failed > 0
        ? words.more(finds.length, failed)
        : state === "ended"
          ? words.NOTHING_FOUND
          : words.NOTHING_FAILED_YET;
    setText(find("finds-note", HTMLElement), note);
    if (finds === this.#listed) return;
    const isLonger = this.#listed.every((one, at) => one === finds[at]);
    if (!isLonger) this.#finds.replaceChildren();
    const listed = isLonger ? this.#listed.length : 0;
    this.#finds.append(...finds.slice(listed).map((one) => item(one, bug)));
    this.#listed = finds;
  }
}

const FIGURES = ["worlds", "pace", "time", "events", "faults", "failed"] as const;
type Figure = (typeof FIGURES)[number];

function item(one: Find, bug: string | null): HTMLLIElement {
  const { seed, property, text } = one;
  const link = { href: linkToFind(one, bug), "aria-label": words.openLabel(seed) };
  return make(
    "li",
    { "data-seed": String(seed) },
    make("p", {}, make("strong", {}, property), ` ${words.inWorld(seed)}`),
    make("p", { class: "seen" }, text),
    make("a", link, words.OPEN),
  );
}
