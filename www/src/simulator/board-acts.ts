/** What can be done to groups of shards, and to a job and its workers. */

import { make } from "../dom.js";
import type { Board } from "../sim/board.js";
import type { Act } from "../sim/chunk.js";
import { BOARD_ACTS } from "../words/board.js";

export class BoardActs {
  readonly #group = make("select", { "aria-label": BOARD_ACTS.group });
  readonly #worker = make("select", { "aria-label": BOARD_ACTS.worker });
  readonly #groups: HTMLElement;
  readonly #workers: HTMLElement;

  constructor(act: (act: Act) => void) {
    const button = (name: keyof typeof BOARD_ACTS.hints, what: () => Act) => {
      const title = BOARD_ACTS.hints[name];
      const element = make("button", { type: "button", title }, BOARD_ACTS[name]);
      element.addEventListener("click", () => act(what()));
      return element;
    };
    const group = () => Number(this.#group.value);
    const worker = () => Number(this.#worker.value);
    this.#groups = make(
      "div",
      { class: "row", role: "group", "aria-label": BOARD_ACTS.group },
      make("label", {}, BOARD_ACTS.group, " ", this.#group),
      button("join", () => ({ do: "join", group: group() })),
      button("leave", () => ({ do: "leave", group: group() })),
    );
    this.#workers = make(
      "div",
      { class: "row", role: "group", "aria-label": BOARD_ACTS.worker },
      make("label", {}, BOARD_ACTS.worker, " ", this.#worker),
      button("kill", () => ({ do: "kill", worker: worker() })),
      button("tire", () => ({ do: "tire", worker: worker() })),
      button("hire", () => ({ do: "hire" })),
      button("submit", () => ({ do: "submit" })),
    );
  }

  get rows(): readonly HTMLElement[] {
    return [this.#groups, this.#workers];
  }

  show(board: Board | null): void {
    this.#groups.hidden = board?.kind !== "shards";
    this.#workers.hidden = board?.kind !== "job";
    if (board?.kind === "shards")
      choices(
        this.#group,
        board.groups.map(({ id }) => id).filter((id) => id > 0),
        "",
      );
    if (board?.kind === "job")
      choices(
        this.#worker,
        board.workers.map(({ id }) => id),
        "w",
      );
  }
}

/** The choices of a select, if they are others than before. */
function choices(select: HTMLSelectElement, ids: readonly number[], prefix: string): void {
  if (select.options.length === ids.length) return;
  const chosen = select.value;
  select.replaceChildren(
    ...ids.map((id) => make("option", { value: String(id) }, `${prefix}${id}`)),
  );
  if (chosen !== "") select.value = chosen;
}
