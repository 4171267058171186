/** What clients saw: each call a bar from its beginning to its end, with the moment at which it took effect. */

import { make, setAttribute, setText } from "../dom.js";
import type { Failure, OperationRow } from "../sim/chunk.js";
import type { Film, Moment } from "../sim/film.js";
import { HISTORY, operationText } from "../words/simulator.js";

/** Seconds that can be shown. */
const SPANS = [0.5, 1, 2, 5, 10] as const;
/** More bars than this cannot be told apart. */
const BARS_MAX = 120;
const EVERY_MS = 200;

export interface HistoryActions {
  select(id: number): void;
  judge(): void;
}

export class History {
  readonly element: HTMLElement;
  readonly #rows = make("div", { class: "history", role: "group", "aria-label": HISTORY.label });
  readonly #verdict = make("p", { class: "verdict", role: "status" });
  readonly #span = make(
    "select",
    { "aria-label": HISTORY.span },
    ...SPANS.map((span) => make("option", { value: String(span) }, `${span} s`)),
  );
  readonly #bars = new Map<number, HTMLButtonElement>();
  #shown: readonly [film: Film, at: Moment, span: string] | undefined;
  #bad: ReadonlySet<number> = new Set();
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(actions: HistoryActions) {
    this.#span.value = "2";
    const check = make("button", { type: "button" }, HISTORY.check);
    check.addEventListener("click", () => actions.judge());
    this.element = make(
      "div",
      {},
      this.#rows,
      make("div", { class: "buttons" }, check, make("label", {}, HISTORY.span, " ", this.#span)),
      this.#verdict,
    );
    this.#rows.addEventListener("click", ({ target }) => {
      const id = Number((target as Element).closest("button")?.getAttribute("data-call") ?? 0);
      if (id > 0) actions.select(id);
    });
  }

  /** What came of a check; undefined: there was none. */
  judged(failure: Failure | null | undefined): void {
    const bad = failure?.operations ?? [];
    this.#bad = new Set(bad);
    this.#shown = undefined;
    setText(
      this.#verdict,
      failure === undefined ? "" : failure === null ? HISTORY.good : HISTORY.bad(bad.length),
    );
    setAttribute(this.#verdict, "data-state", bad.length > 0 ? "broken" : "holds");
  }

  show(film: Film, moment: Moment, now: number): void {
    const [shownFilm, shown, span] = this.#shown ?? [];
    const same = moment.event === shown?.event && moment.at === shown.at;
    if (film === shownFilm && same && span === this.#span.value) return;
    if (now - this.#drawnAt < EVERY_MS) return;
    [this.#shown, this.#drawnAt] = [[film, moment, this.#span.value], now];
    const width = Number(this.#span.value) * 1_000_000;
    const end = Math.max(moment.at, width);
    const start = end - width;
    const all = film.operationsAt(moment);
    const calls = all
      .filter(({ endedAt, id }) => (endedAt ?? end) >= start || this.#bad.has(id))
      .slice(-BARS_MAX);
    const clients = [...new Set(calls.map(({ client }) => client))].sort((a, b) => a - b);
    if (clients.length === 0) {
      this.#rows.replaceChildren(make("p", { class: "soft" }, HISTORY.none));
      return;
    }
    this.#bars.clear();
    this.#rows.replaceChildren(
      ...clients.map((client) => {
        const bars = calls
          .filter((call) => call.client === client)
          .map((call) => this.#bar(call, start, end));
        return make(
          "div",
          { class: "client" },
          make("span", { class: "name" }, `c${client}`),
          make("div", { class: "line" }, ...bars),
        );
      }),
    );
  }

  #bar(call: OperationRow, start: number, end: number): HTMLElement {
    const percent = (at: number) =>
      ((Math.min(Math.max(at, start), end) - start) / (end - start)) * 100;
    const [left, right] = [percent(call.calledAt), percent(call.endedAt ?? end)];
    const bar = make(
      "button",
      {
        type: "button",
        "data-call": String(call.id),
        "data-state": this.#bad.has(call.id) ? "bad" : call.state,
        "aria-label": operationText(call),
        title: operationText(call),
      },
      make("span", {}, call.answer === null ? call.text : `${call.text}: ${call.answer}`),
    );
    // Set by script, not by an attribute: so says the page's policy.
    bar.style.left = `${left}%`;
    bar.style.width = `${Math.max(right - left, 0.4)}%`;
    if (call.point !== null && call.point >= start) {
      const point = make("i", { class: "point", "aria-hidden": "true" });
      point.style.left = `${right > left ? ((percent(call.point) - left) / (right - left)) * 100 : 0}%`;
      bar.append(point);
    }
    this.#bars.set(call.id, bar);
    return bar;
  }
}
