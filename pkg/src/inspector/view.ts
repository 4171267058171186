/** What the inspector shows: built once, then brought up to date in place, so that focus and selection stay. */

import { quantile } from "../observe/histogram.js";
import { MESSAGE_KINDS } from "../observe/notes.js";
import type { ClusterMetrics, Histogram, NodeMetricsView } from "../observe/types.js";
import { draw, make, mark, write } from "./dom.js";
import { bytes, duration, whole } from "./words.js";

/** What a visitor can do, where that is allowed. */
export interface Actions {
  killOrStart(node: number): void;
  cutOff(node: number): void;
  heal(): void;
}

interface Row {
  readonly row: HTMLTableRowElement;
  readonly cells: readonly HTMLTableCellElement[];
  readonly life: HTMLButtonElement;
  readonly cut: HTMLButtonElement;
}

export class View {
  readonly #root: ShadowRoot;
  readonly #actions: Actions;
  readonly #title = make("h2", {}, "No cluster");
  readonly #summary = make("p", { role: "status" });
  readonly #site = make("p", { hidden: "" });
  readonly #nodes = make("tbody");
  readonly #rows = new Map<number, Row>();
  readonly #actionHead = make("th", { scope: "col", hidden: "", class: "left" }, "Actions");
  readonly #heal = make("button", { type: "button", hidden: "" }, "Heal the network");
  readonly #latencies: ReadonlyMap<string, readonly [HTMLElement, SVGElement, ...HTMLElement[]]>;
  readonly #messages: ReadonlyMap<string, readonly HTMLElement[]>;
  readonly #events = make("ol");
  readonly #body: HTMLElement;

  constructor(root: ShadowRoot, actions: Actions) {
    this.#root = root;
    this.#actions = actions;
    this.#heal.addEventListener("click", () => actions.heal());
    const latencies = LATENCIES.map(([key, title]) => latencyRow(key, title));
    this.#latencies = new Map(latencies.map(({ key, parts }) => [key, parts]));
    const messages = MESSAGE_KINDS.map((kind) => messageRow(kind));
    this.#messages = new Map(messages.map(({ kind, cells }) => [kind, cells]));
    this.#body = make(
      "div",
      { hidden: "" },
      scrolling(
        "Nodes",
        make("table", { "aria-label": "Nodes" }, head(NODE_COLUMNS, this.#actionHead), this.#nodes),
      ),
      this.#heal,
      make("h3", {}, "Latencies"),
      scrolling(
        "Latencies",
        make(
          "table",
          { "aria-label": "Latencies" },
          head(["", "Half within", "99 % within", "Count", "Distribution"]),
          make("tbody", {}, ...latencies.map(({ row }) => row)),
        ),
      ),
      make(
        "details",
        {},
        make("summary", {}, "Messages"),
        scrolling(
          "Messages",
          make(
            "table",
            { "aria-label": "Messages" },
            head(["Kind", "Sent", "Received", "Lost"]),
            make("tbody", {}, ...messages.map(({ row }) => row)),
          ),
        ),
      ),
      make("h3", {}, "Recent events"),
      make(
        "div",
        { role: "log", "aria-label": "Recent events", tabindex: "0", class: "events" },
        this.#events,
      ),
    );
    root.append(this.#title, this.#summary, this.#site, this.#body);
  }

  /** There is a cluster of this name, or none. */
  name(name: string | null): void {
    write(this.#title, name === null ? "No cluster" : `Cluster ${name}`);
    this.#body.hidden = name === null;
    write(this.#summary, name === null ? "Nothing to show." : "");
    this.#site.hidden = true;
    this.#events.replaceChildren();
  }

  /** The cluster is closed: what is shown was its end. */
  closed(): void {
    write(this.#summary, "The cluster is closed.");
    for (const button of this.#root.querySelectorAll("button")) button.disabled = true;
  }

  metrics({ nodes, totals }: ClusterMetrics, cut: ReadonlySet<number>, controls: boolean): void {
    this.#actionHead.hidden = !controls;
    this.#heal.hidden = !controls;
    this.#heal.disabled = cut.size === 0;
    for (const [id, { row }] of this.#rows) {
      if (nodes.some((node) => node.id === id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    for (const node of nodes) this.#node(node, cut.has(node.id), controls);
    const leader = nodes.find(({ metrics }) => metrics?.role === "leader");
    const leads = leader === undefined ? "No node leads" : `Node ${leader.id} leads`;
    // Said aloud when it changes, so no numbers that always do.
    write(this.#summary, `${leads}. ${totals.running} of ${nodes.length} nodes run.`);
    for (const [key] of LATENCIES) this.#latency(key, totals[key]);
    for (const kind of MESSAGE_KINDS) {
      const cells = this.#messages.get(kind) ?? [];
      for (const [at, way] of (["sent", "received", "lost"] as const).entries()) {
        const count = nodes.reduce(
          (all, { metrics }) => all + (metrics?.messages[way][kind] ?? 0),
          0,
        );
        const cell = cells[at];
        if (cell !== undefined) write(cell, whole(count));
      }
    }
  }

  site(used: number, quota: number): void {
    this.#site.hidden = false;
    write(this.#site, `This site stores ${bytes(used)} of at most ${bytes(quota)}.`);
  }

  event(text: string, time: Date): void {
    const clock = time.toLocaleTimeString("en-GB");
    this.#events.prepend(make("li", {}, make("time", {}, clock), text));
    while (this.#events.childElementCount > EVENTS_MAX) this.#events.lastElementChild?.remove();
  }

  #node({ id, state, metrics }: NodeMetricsView, isCut: boolean, controls: boolean): void {
    const known = this.#rows.get(id) ?? this.#row(id);
    const { row, cells, life, cut } = known;
    row.dataset.state = state;
    row.dataset.role = metrics?.role ?? "";
    const where = isCut ? ", cut off" : "";
    const texts = [
      metrics === null ? STATES[state] + where : ROLES[metrics.role] + where,
      ...(metrics === null
        ? NODE_COLUMNS.slice(2).map(() => "–")
        : [
            whole(metrics.term),
            whole(metrics.proposals.committed),
            whole(metrics.proposals.applied),
            `${whole(metrics.log.entries)} (${bytes(metrics.log.bytes)})`,
            `${whole(metrics.storage.rounds)} (${bytes(metrics.storage.bytes)})`,
            whole(metrics.store.keys),
          ]),
    ];
    for (const [at, text] of texts.entries()) {
      const cell = cells[at];
      if (cell !== undefined) write(cell, text);
    }
    const acts = cells.at(-1);
    if (acts !== undefined) acts.hidden = !controls;
    const runs = state === "running" || state === "starting";
    write(life, runs ? "Kill" : "Start");
    mark(life, "aria-label", `${runs ? "Kill" : "Start"} node ${id}`);
    life.disabled = state === "starting";
    cut.disabled = isCut;
  }

  #row(id: number): Row {
    const life = make("button", { type: "button" });
    const cut = make("button", { type: "button", "aria-label": `Cut off node ${id}` }, "Cut off");
    life.addEventListener("click", () => this.#actions.killOrStart(id));
    cut.addEventListener("click", () => this.#actions.cutOff(id));
    const facts = NODE_COLUMNS.slice(2).map(() => make("td"));
    const cells = [
      make("td", { class: "role" }),
      ...facts,
      make("td", { class: "acts" }, life, cut),
    ];
    const row = make("tr", {}, make("th", { scope: "row" }, `Node ${id}`), ...cells);
    const after = [...this.#rows].find(([other]) => other > id);
    this.#nodes.insertBefore(row, after?.[1].row ?? null);
    const made = { row, cells, life, cut };
    const sorted = [...this.#rows, [id, made] as const].sort(([a], [b]) => a - b);
    this.#rows.clear();
    for (const [key, value] of sorted) this.#rows.set(key, value);
    return made;
  }

  #latency(key: string, histogram: Histogram): void {
    const parts = this.#latencies.get(key);
    if (parts === undefined) return;
    const [count, bars, half, most] = parts;
    const [p50, p99] = [quantile(histogram, 0.5), quantile(histogram, 0.99)];
    const none = histogram.count === 0;
    write(count, whole(histogram.count));
    if (half !== undefined) write(half, none ? "–" : duration(p50));
    if (most !== undefined) write(most, none ? "–" : duration(p99));
    const highest = Math.max(1, ...histogram.counts);
    for (const [at, bar] of [...bars.querySelectorAll("rect:not(.base)")].entries()) {
      const share = (histogram.counts[at] ?? 0) / highest;
      const height = share === 0 ? 0 : Math.max(1, Math.round(share * BAR_HEIGHT));
      mark(bar, "height", String(height));
      mark(bar, "y", String(BAR_HEIGHT - height));
    }
    const said = none
      ? "nothing yet"
      : `half within ${duration(p50)}, 99 % within ${duration(p99)}`;
    mark(bars, "aria-label", said);
  }
}

function head(columns: readonly string[], ...more: HTMLElement[]): HTMLElement {
  const cells = columns.map((name) =>
    // A cell without a text heads nothing.
    name === ""
      ? make("td")
      : make("th", { scope: "col", class: LEFT.includes(name) ? "left" : "" }, name),
  );
  return make("thead", {}, make("tr", {}, ...cells, ...more));
}

/** What is too wide scrolls by itself, also by keyboard. */
function scrolling(label: string, table: HTMLElement): HTMLElement {
  return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": label }, table);
}

function latencyRow(key: string, title: string) {
  const [half, most, count] = [make("td"), make("td"), make("td")];
  const width = 7;
  const bars = draw("svg", { role: "img", viewBox: `0 0 ${17 * width} ${BAR_HEIGHT + 1}` });
  const base = {
    class: "base",
    x: "0",
    y: String(BAR_HEIGHT),
    width: String(17 * width),
    height: "1",
  };
  bars.append(draw("rect", base));
  for (let at = 0; at < 17; at++) {
    const place = { x: String(at * width), width: String(width - 1) };
    bars.append(draw("rect", { ...place, y: String(BAR_HEIGHT), height: "0" }));
  }
  const row = make(
    "tr",
    {},
    make("th", { scope: "row" }, title),
    half,
    most,
    count,
    make("td", { class: "bars" }, bars),
  );
  return { key, row, parts: [count, bars, half, most] as const };
}

function messageRow(kind: string) {
  const cells = [make("td"), make("td"), make("td")];
  const row = make("tr", {}, make("th", { scope: "row" }, kind), ...cells);
  return { kind, row, cells };
}

const NODE_COLUMNS = [
  "Node",
  "Role",
  "Term",
  "Committed",
  "Applied",
  "Log entries",
  "Disk writes",
  "Keys",
];
/** Columns whose cells begin at the left. */
const LEFT: readonly string[] = ["Role", "Distribution"];
const LATENCIES = [
  ["commit", "Commit"],
  ["persist", "Durable write"],
  ["apply", "Apply"],
  ["roundTrip", "Round trip"],
] as const;
const ROLES = {
  leader: "Leader",
  follower: "Follower",
  candidate: "Candidate",
  preCandidate: "Asks for pre-votes",
} as const;
const STATES = {
  running: "Running",
  starting: "Starting",
  killed: "Killed",
  halted: "Halted",
} as const;
const BAR_HEIGHT = 20;
/** Events that are shown, at most. */
const EVENTS_MAX = 50;
