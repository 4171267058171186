/** What stands beside the nodes: which group has which shard, or how far a job is. */

import { make } from "../dom.js";
import type { Board, JobBoard, ShardsBoard, TaskBoard } from "../sim/board.js";
import { attemptText, BOARD, phaseText, placeText, taskName, workerText } from "../words/board.js";

export class BoardView {
  readonly element: HTMLElement;
  readonly #title = make("h2", {});
  readonly #content = make("div", { class: "scroll" });
  #shown: Board | null = null;

  /** In a section that is hidden where nothing stands beside the nodes. */
  constructor(element: HTMLElement) {
    this.element = element;
    element.append(this.#title, this.#content);
  }

  show(board: Board | null): void {
    // Boards are immutable: the same one looks the same.
    if (board === this.#shown) return;
    this.#shown = board;
    this.element.hidden = board === null;
    if (board === null) return;
    this.#title.textContent = BOARD.titles[board.kind];
    this.#content.replaceChildren(...(board.kind === "shards" ? shards(board) : job(board)));
  }
}

function shards({ number, owners, groups, keys }: ShardsBoard): readonly Node[] {
  const [, ...holders] = groups;
  const behind = holders.filter((group) => group.number < number);
  const said = [
    BOARD.configuration(number),
    ...behind.map((group) => BOARD.behind(group.id, group.number)),
  ];
  const rows = owners.map((owner, shard) => {
    const its = keys.filter(([, of]) => of === shard).map(([key]) => key);
    const cells = holders.map(({ places }) => {
      const place = places.find((known) => known.shard === shard);
      return place === undefined
        ? make("td", {})
        : make("td", { "data-stand": place.stand }, placeText(place));
    });
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, `s${shard}`),
      make("td", {}, its.join(", ")),
      make("td", {}, owner === 0 ? BOARD.nobody : BOARD.owned(owner)),
      ...cells,
    );
  });
  const heads = [BOARD.shard, BOARD.keys, BOARD.owner, ...holders.map(({ id }) => BOARD.group(id))];
  return [make("p", { class: "soft" }, said.join("; ")), table(heads, rows)];
}

function job({ phase, tasks, workers, result }: JobBoard): readonly Node[] {
  const kinds = (["map", "reduce", "publish"] as const).map((kind) => {
    const its = tasks.filter((task) => task.kind === kind).map(chip);
    return make("div", {}, make("strong", {}, BOARD.kinds[kind]), list(BOARD.kinds[kind], its));
  });
  const crew = workers.map((worker) =>
    make("li", { "data-state": worker.state }, workerText(worker)),
  );
  const words = result.map(([word, count]) => make("li", {}, `${word} ${count}`));
  const published = [make("strong", {}, BOARD.result), list(BOARD.result, words)];
  return [
    make("p", { class: "soft" }, phaseText(phase)),
    list(BOARD.workers, crew),
    ...(tasks.length === 0
      ? []
      : [make("div", { class: "tasks" }, ...kinds), make("p", { class: "soft" }, BOARD.tasks)]),
    ...(words.length === 0 ? [] : published),
  ];
}

/** A task, and who tried it. */
function chip(task: TaskBoard): HTMLElement {
  const tries = task.attempts.map((attempt) => {
    const [sign, worker, word] = attemptText(attempt);
    return make(
      "span",
      { "data-state": attempt.state },
      make("span", { "aria-hidden": "true" }, sign),
      ` ${worker} `,
      make("span", { class: "unseen" }, word),
    );
  });
  const state = task.attempts.some((one) => one.state === "won")
    ? "won"
    : task.attempts.some((one) => one.state === "running")
      ? "running"
      : "idle";
  const idle = tries.length === 0 ? [make("span", { class: "unseen" }, BOARD.idle)] : [];
  return make("li", { "data-state": state }, `${taskName(task)} `, ...tries, ...idle);
}

function list(label: string, items: readonly HTMLElement[]): HTMLElement {
  return make("ul", { class: "chips", "aria-label": label }, ...items);
}

function table(heads: readonly string[], rows: readonly HTMLElement[]): HTMLElement {
  return make(
    "table",
    { class: "board" },
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, ...rows),
  );
}
