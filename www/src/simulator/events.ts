/** The lines of the trace around a moment. */

import { make, setAttribute, setText } from "../dom.js";
import type { EventRow } from "../sim/chunk.js";
import type { Film, Moment } from "../sim/film.js";
import { seconds } from "../words/player.js";
import { EVENTS } from "../words/simulator.js";

const BEFORE = 40;
const AFTER = 20;
/** Lines that are hidden unless somebody wants to see them: they are many, and say little. */
const QUIET: ReadonlySet<EventRow["kind"]> = new Set(["timer", "write", "durable", "hint"]);
/** A list that is rebuilt with each frame cannot be read anyway. */
const EVERY_MS = 250;

export class Events {
  readonly element: HTMLElement;
  readonly #list = make("ol", {
    class: "events scroll",
    tabindex: "0",
    "aria-label": EVENTS.label,
  });
  readonly #all = make("input", { type: "checkbox" });
  #shown: readonly [film: Film, event: number, all: boolean] | undefined;
  #drawnAt = Number.NEGATIVE_INFINITY;

  /** `select` is told the number of the event that was chosen. */
  constructor(select: (event: number) => void) {
    this.element = make(
      "div",
      {},
      this.#list,
      make("label", { class: "check" }, this.#all, EVENTS.all),
    );
    this.#list.addEventListener("click", ({ target }) => {
      const event = Number((target as Element).closest("li")?.getAttribute("data-event") ?? 0);
      if (event > 0) select(event);
    });
  }

  show(film: Film, moment: Moment, playing: boolean, now: number): void {
    const all = this.#all.checked;
    const [shownFilm, event, shownAll] = this.#shown ?? [];
    if (film === shownFilm && moment.event === event && all === shownAll) return;
    if (playing && now - this.#drawnAt < EVERY_MS) return;
    [this.#shown, this.#drawnAt] = [[film, moment.event, all], now];
    const tells = (row: EventRow) => all || !QUIET.has(row.kind) || row.why !== null;
    const end = film.rowsUpTo(moment);
    const past = film.rows
      .slice(Math.max(0, end - 3 * BEFORE), end)
      .filter(tells)
      .slice(-BEFORE);
    const future = playing
      ? []
      : film.rows
          .slice(end, end + 3 * AFTER)
          .filter(tells)
          .slice(0, AFTER);
    const lines = [
      ...past.map((row) => line(row, row.event === moment.event ? "now" : "past")),
      ...future.map((row) => line(row, "future")),
    ];
    if (lines.length === 0) lines.push(make("li", {}, EVENTS.none));
    this.#list.replaceChildren(...lines);
    const last =
      this.#list.querySelector('[data-when="now"]:last-of-type') ??
      this.#list.children[past.length - 1];
    // Only the list scrolls, never the page.
    if (last instanceof HTMLElement)
      this.#list.scrollTop = last.offsetTop - this.#list.clientHeight / 2;
  }
}

function line(row: EventRow, when: "past" | "now" | "future"): HTMLLIElement {
  const { event, at, kind, node, client, text } = row;
  const who = node > 0 ? `n${node}` : client > 0 ? `c${client}` : "";
  const element = make(
    "li",
    { "data-event": String(event), "data-when": when, "data-kind": kind },
    make("time", {}, seconds(at)),
    make("b", {}, who),
    make("button", { type: "button", class: "link" }),
  );
  setText(element.lastElementChild as Element, `${kind} ${text}`.trim());
  if (when === "now") setAttribute(element, "aria-current", "step");
  return element;
}
