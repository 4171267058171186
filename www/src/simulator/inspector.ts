/** One thing closely: a node, a message, an entry, an event or a call. */

import { make } from "../dom.js";
import type { Act } from "../sim/chunk.js";
import type { Film, Moment } from "../sim/film.js";
import type { NodePicture } from "../stage/picture.js";
import { seconds } from "../words/player.js";
import { ACTS, commitmentText, FACTS, INSPECTOR, operationText } from "../words/simulator.js";
import { ROLES, STATES } from "../words/stage.js";
import { type Explanation, explain } from "../words/why.js";
import { commitment } from "./commit.js";
import type { Selection } from "./selection.js";

export interface InspectorActions {
  act(act: Act): void;
  select(selection: Selection): void;
}

/** A running picture is told a few times a second. */
const EVERY_MS = 200;

export class Inspector {
  readonly element = make("div", { class: "inspector" });
  readonly #actions: InspectorActions;
  #shown: readonly [film: Film, at: Moment, selection: Selection | null] | undefined;
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(actions: InspectorActions) {
    this.#actions = actions;
  }

  show(film: Film, moment: Moment, selection: Selection | null, now: number): void {
    const [shownFilm, shown, shownSelection] = this.#shown ?? [];
    const same = moment.event === shown?.event && moment.at === shown.at;
    if (film === shownFilm && same && selection === shownSelection) return;
    if (selection === shownSelection && now - this.#drawnAt < EVERY_MS) return;
    [this.#shown, this.#drawnAt] = [[film, moment, selection], now];
    this.element.replaceChildren(...this.#tell(film, moment, selection));
  }

  #tell(film: Film, moment: Moment, selection: Selection | null): readonly Node[] {
    switch (selection?.kind) {
      case "node":
        return this.#node(film, moment, selection.id);
      case "flight":
        return this.#flight(film, moment, selection.id);
      case "entry":
        return entry(film, moment, selection.node, selection.index);
      case "event":
        return this.#event(film, selection.event);
      case "operation":
        return operation(film, moment, selection.id);
      case undefined:
        return [make("p", { class: "soft" }, INSPECTOR.nothing)];
    }
  }

  #node(film: Film, moment: Moment, id: number): readonly Node[] {
    const node = film.node(id, moment.event);
    if (node === undefined) return [];
    const why = lastWhy(film, moment, id);
    return [
      make("h3", {}, INSPECTOR.node(id)),
      facts(nodeFacts(node, moment)),
      ...(why === null ? [] : [reason(why)]),
    ];
  }

  #flight(film: Film, moment: Moment, id: number): readonly Node[] {
    const flight = film.flight(id);
    if (flight === undefined || flight.id !== id)
      return [make("p", { class: "soft" }, INSPECTOR.nothing)];
    const landing = film.landing(id);
    const landed = landing !== undefined && landing.event <= moment.event ? landing : undefined;
    const end =
      landed === undefined
        ? flight.lost
          ? INSPECTOR.vanishes
          : `${INSPECTOR.arrives} ${seconds(flight.arrivesAt * 1_000)}`
        : `${INSPECTOR.landed[landed.fate]} ${seconds(landed.at * 1_000)}`;
    const fields: [string, string][] = flight.fields.map(([name, value]) => [name, value]);
    const term: [string, string][] = flight.term > 0 ? [[INSPECTOR.term, String(flight.term)]] : [];
    const row =
      landed === undefined ? undefined : film.rowsOf(landed.event).find(({ why }) => why !== null);
    const isOpen = landed === undefined && !flight.lost;
    const buttons = isOpen && film.board(moment.event) === null ? this.#buttons(id) : [];
    return [
      make("h3", {}, INSPECTOR.flight(flight.name, flight.from, flight.to)),
      make("p", { class: "soft" }, `${INSPECTOR.sent} ${seconds(flight.sentAt * 1_000)}, ${end}`),
      facts([...term, ...fields]),
      ...(row?.why ? [reason(explain(row.why))] : []),
      ...buttons,
    ];
  }

  #buttons(flight: number): readonly Node[] {
    const button = (name: "lose" | "deliver") => {
      const element = make("button", { type: "button" }, ACTS[name]);
      element.addEventListener("click", () => this.#actions.act({ do: name, flight }));
      return element;
    };
    return [make("div", { class: "buttons" }, button("lose"), button("deliver"))];
  }

  #event(film: Film, event: number): readonly Node[] {
    const rows = film.rowsOf(event);
    const [first] = rows;
    if (first === undefined) return [make("p", { class: "soft" }, INSPECTOR.nothing)];
    const lines = rows.flatMap((row) => {
      const who = row.node > 0 ? `n${row.node} ` : "";
      const line = make("p", {}, `${who}${row.kind} ${row.text}`);
      const flight = row.flight;
      if (flight !== null) {
        const open = make(
          "button",
          { type: "button", class: "link" },
          film.flight(flight)?.name ?? "",
        );
        open.addEventListener("click", () => this.#actions.select({ kind: "flight", id: flight }));
        line.append(" ", open);
      }
      return row.why === null ? [line] : [line, reason(explain(row.why))];
    });
    return [make("h3", {}, `${INSPECTOR.event(event)}, ${seconds(first.at)}`), ...lines];
  }
}

function entry(film: Film, moment: Moment, id: number, index: number): readonly Node[] {
  const picture = film.picture(moment);
  const node = picture.nodes.find((other) => other.id === id);
  if (node === undefined) return [];
  const told = node.log.entries.find((known) => known.index === index);
  const what: [string, string][] =
    told === undefined
      ? []
      : [
          [INSPECTOR.term, String(told.term)],
          ["", told.text],
        ];
  return [
    make("h3", {}, INSPECTOR.entry(index, id)),
    facts(what),
    reason(commitmentText(index, commitment(picture, node, index))),
  ];
}

function operation(film: Film, moment: Moment, id: number): readonly Node[] {
  const found = film.operationsAt(moment).find((known) => known.id === id);
  if (found === undefined) return [make("p", { class: "soft" }, INSPECTOR.nothing)];
  const times =
    found.endedAt === null
      ? seconds(found.calledAt)
      : `${seconds(found.calledAt)} – ${seconds(found.endedAt)}`;
  return [
    make("h3", {}, INSPECTOR.operation(id)),
    make("p", {}, operationText(found)),
    make("p", { class: "soft" }, times),
  ];
}

/** The latest reason that is known of what a node did. */
function lastWhy(film: Film, moment: Moment, id: number): Explanation | null {
  const end = film.rowsUpTo(moment);
  for (let at = end - 1; at >= Math.max(0, end - 400); at--) {
    const row = film.rows[at];
    if (row?.node === id && row.why !== null) return explain(row.why);
  }
  return null;
}

function reason({ text, section }: Explanation): HTMLElement {
  const source = section === "" ? [] : [" ", make("cite", {}, section)];
  return make("p", { class: "why" }, text, ...source);
}

function facts(pairs: readonly (readonly [string, string])[]): HTMLElement {
  return make(
    "dl",
    { class: "facts" },
    ...pairs.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))),
  );
}

function nodeFacts(node: NodePicture, { at }: Moment): [string, string][] {
  const { state, role, term, vote, leader, votes, timer, log, peers } = node;
  const pairs: [string, string | null][] = [
    [FACTS.state, STATES[state]],
    [FACTS.role, state === "running" ? ROLES[role] : null],
    [FACTS.term, String(term)],
    [FACTS.vote, vote === null ? null : `n${vote}`],
    [FACTS.leader, leader === null ? null : `n${leader}`],
    [FACTS.votes, votes.length === 0 ? null : votes.map((id) => `n${id}`).join(", ")],
    [
      FACTS.timer,
      timer === null || state !== "running"
        ? null
        : `${Math.max(0, Math.round(timer.to - at / 1_000))} ms`,
    ],
    [FACTS.last, String(log.last)],
    [FACTS.persisted, String(log.persisted)],
    [FACTS.commit, String(log.commit)],
    [FACTS.applied, String(log.applied)],
    [FACTS.snapshot, log.snapshot === 0 ? null : String(log.snapshot)],
    ...peers.map(({ id, matched, next, mode }): [string, string] => [
      FACTS.peer(id),
      `matches ${matched}, next ${next}, ${mode}`,
    ]),
  ];
  return pairs.flatMap(([name, value]): [string, string][] =>
    value === null ? [] : [[name, value]],
  );
}
