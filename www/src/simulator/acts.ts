/** What can be done to the world: to a node, to a link, and as a client. */

import { make, setAttribute } from "../dom.js";
import type { Board } from "../sim/board.js";
import type { Act } from "../sim/chunk.js";
import type { NodePicture } from "../stage/picture.js";
import { ACTS, NODE_ACTS } from "../words/simulator.js";
import { BoardActs } from "./board-acts.js";

export interface ActsActions {
  act(...acts: readonly Act[]): void;
  selectNode(id: number): void;
}

/** How long the calls of a visitor may take, in milliseconds. */
const TIMEOUT = 3_000;
const SLOW_MS = 100;

type Op = Extract<Act, { do: "call" }>["op"];
const OPS: readonly Op[] = ["put", "get", "append", "increment", "delete", "cas"];

/** What can be done to a node where there is more than one group, or a job. */
const BESIDE_A_BOARD: ReadonlySet<string> = new Set(["crash", "start", "timeout"]);

export class Acts {
  readonly element: HTMLElement;
  readonly #node = make("select", { "aria-label": ACTS.node });
  readonly #from = make("select", { "aria-label": `${ACTS.link} ${ACTS.from}` });
  readonly #to = make("select", { "aria-label": `${ACTS.link} ${ACTS.to}` });
  readonly #buttons = new Map<string, HTMLButtonElement>();
  readonly #isolate: HTMLButtonElement;
  readonly #links: HTMLElement;
  readonly #call: HTMLElement;
  readonly #board: BoardActs;
  #ids = "";
  #nodes: readonly NodePicture[] = [];

  constructor(actions: ActsActions) {
    const chosen = (select: HTMLSelectElement) => Number(select.value);
    const button = (label: string, hint: string, act: () => void) => {
      const element = make("button", { type: "button", title: hint }, label);
      element.addEventListener("click", () => {
        if (element.getAttribute("aria-disabled") !== "true") act();
      });
      return element;
    };
    this.#node.addEventListener("change", () => actions.selectNode(chosen(this.#node)));
    for (const { do: name, label, hint } of NODE_ACTS) {
      const act = () => actions.act({ do: name, node: chosen(this.#node) } as Act);
      this.#buttons.set(name, button(label, hint, act));
    }
    const link = (name: "cut" | "mend") =>
      button(ACTS[name], "", () =>
        actions.act({ do: name, from: chosen(this.#from), to: chosen(this.#to) }),
      );
    const slow = button(ACTS.slow, "", () =>
      actions.act({ do: "slow", from: chosen(this.#from), to: chosen(this.#to), ms: SLOW_MS }),
    );
    this.#isolate = button(ACTS.isolate, "", () => {
      const id = chosen(this.#node);
      const others = this.#nodes.map((node) => node.id).filter((other) => other !== id);
      actions.act(
        ...others.flatMap((other): Act[] => [
          { do: "cut", from: id, to: other },
          { do: "cut", from: other, to: id },
        ]),
      );
    });
    const heal = button(ACTS.heal, "", () => actions.act({ do: "heal" }));
    const restore = button(ACTS.restore, "", () => actions.act({ do: "restore" }));
    this.#links = make(
      "div",
      { class: "row", role: "group", "aria-label": ACTS.link },
      make("label", {}, ACTS.link, " ", ACTS.from, " ", this.#from),
      make("label", {}, ACTS.to, " ", this.#to),
      link("cut"),
      link("mend"),
      slow,
      heal,
      restore,
    );
    this.#call = this.#client(actions);
    this.#board = new BoardActs((act) => actions.act(act));
    this.element = make(
      "div",
      { class: "acts" },
      make(
        "div",
        { class: "row", role: "group", "aria-label": ACTS.node },
        make("label", {}, ACTS.node, " ", this.#node),
        ...this.#buttons.values(),
        this.#isolate,
      ),
      this.#links,
      this.#call,
      ...this.#board.rows,
    );
  }

  #client(actions: ActsActions): HTMLElement {
    const client = make(
      "select",
      { "aria-label": ACTS.call },
      ...[1, 2, 3].map((id) => make("option", { value: String(id) }, String(id))),
    );
    const op = make(
      "select",
      { "aria-label": ACTS.op },
      ...OPS.map((name) => make("option", {}, name)),
    );
    const key = make("input", {
      value: "x",
      maxlength: "64",
      required: "",
      size: "6",
      spellcheck: "false",
    });
    const value = make("input", { value: "1", maxlength: "256", size: "6", spellcheck: "false" });
    const form = make(
      "form",
      { class: "row", "aria-label": ACTS.call, autocomplete: "off" },
      make("label", {}, ACTS.call, " ", client),
      op,
      make("label", {}, ACTS.key, " ", key),
      make("label", {}, ACTS.value, " ", value),
      make("button", { type: "submit" }, ACTS.ask),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = op.value as Op;
      const takes = name !== "get" && name !== "delete";
      const call = {
        do: "call",
        client: Number(client.value),
        op: name,
        key: key.value,
        timeout: TIMEOUT,
      } as const;
      actions.act(takes ? { ...call, value: value.value } : call);
    });
    return form;
  }

  show(nodes: readonly NodePicture[], selected: number | null, board: Board | null): void {
    const ids = nodes.map(({ id }) => id).join();
    if (ids !== this.#ids) {
      this.#ids = ids;
      for (const select of [this.#node, this.#from, this.#to])
        select.replaceChildren(
          ...nodes.map(({ id }) => make("option", { value: String(id) }, `n${id}`)),
        );
      if (nodes.length > 1) this.#to.value = "2";
    }
    this.#board.show(board);
    this.#links.hidden = this.#isolate.hidden = board !== null;
    this.#call.hidden = board?.kind === "job";
    for (const [name, button] of this.#buttons)
      button.hidden = board !== null && !BESIDE_A_BOARD.has(name);
    this.#nodes = nodes;
    if (selected !== null && this.#node.value !== String(selected))
      this.#node.value = String(selected);
    const node = nodes.find(({ id }) => String(id) === this.#node.value);
    if (node === undefined) return;
    for (const [name, button] of this.#buttons)
      setAttribute(button, "aria-disabled", String(!makesSense(name, node)));
  }
}

function makesSense(name: string, { state, role }: NodePicture): boolean {
  const runs = state === "running";
  switch (name) {
    case "start":
      return state === "down" || state === "halted";
    case "resume":
      return state === "paused";
    case "thaw":
      return state === "frozen";
    case "crash":
      return runs || state === "paused" || state === "frozen";
    case "timeout":
    case "transfer":
      return runs && role !== "leader";
    default:
      return runs;
  }
}
