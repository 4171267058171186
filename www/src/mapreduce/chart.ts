/** The timeline as rows of bars: one for each worker. Keeps what it made, and changes what differs. */

import { make, setAttribute, setEnabled, setText } from "../dom.js";
import type { Model, WorkerModel } from "./model.js";
import type { Attempt, Timeline } from "./timeline.js";
import { attemptInWords, rowInWords, seconds } from "./words.js";

export class Chart {
  readonly #list: HTMLElement;
  readonly #scale: HTMLElement;
  readonly #home: HTMLElement;
  readonly #kill: (worker: number) => void;
  readonly #rows = new Map<number, Row>();

  /** `scale` names the end of the axis. Whoever pressed a button of a row that goes away goes on at `home`. */
  constructor(
    list: HTMLElement,
    scale: HTMLElement,
    home: HTMLElement,
    kill: (worker: number) => void,
  ) {
    this.#list = list;
    this.#scale = scale;
    this.#home = home;
    this.#kill = kill;
  }

  /** `now` is the job's time. */
  show({ workers, timeline }: Model, now: number): void {
    const length = Math.max(SHORTEST, now - timeline.from);
    setText(this.#scale, seconds(length));
    for (const [id, row] of this.#rows) {
      if (workers.some((worker) => worker.id === id)) continue;
      if (row.element.contains(document.activeElement)) this.#home.focus();
      row.element.remove();
      this.#rows.delete(id);
    }
    for (const worker of workers) {
      let row = this.#rows.get(worker.id);
      if (row === undefined) {
        row = new Row(worker, this.#kill);
        this.#rows.set(worker.id, row);
        this.#list.append(row.element);
      }
      row.show(worker, timeline, length);
    }
  }
}

class Row {
  readonly element: HTMLLIElement;
  readonly #doing = make("span", { class: "doing" });
  readonly #track = make("div", { class: "track", role: "img" });
  readonly #kill = make("button", { type: "button" }, "Kill");
  readonly #bars = new Map<string, HTMLElement>();
  #shown: readonly Attempt[] = [];
  #isGone = false;

  constructor({ id, number }: WorkerModel, kill: (worker: number) => void) {
    const name = `Worker ${number}`;
    setAttribute(this.#kill, "aria-label", `Kill ${name.toLowerCase()}`);
    this.#kill.addEventListener("click", () => {
      if (!this.#isGone) kill(id);
    });
    const title = make("p", { class: "worker" }, make("strong", {}, name), this.#doing);
    this.element = make("li", {}, title, this.#track, this.#kill);
  }

  show(worker: WorkerModel, timeline: Timeline, length: number): void {
    this.#isGone = worker.isGone;
    setAttribute(this.element, "data-gone", String(worker.isGone));
    setText(this.#doing, worker.isGone ? "gone" : (worker.task ?? "idle"));
    setEnabled(this.#kill, !worker.isGone);
    const own = timeline.attempts.filter((attempt) => attempt.worker === worker.id);
    const isChanged =
      own.length !== this.#shown.length || own.some((one, at) => one !== this.#shown[at]);
    this.#shown = own;
    if (isChanged) {
      setAttribute(this.#track, "aria-label", rowInWords(worker.number, own));
      this.#make(own);
    }
    for (const attempt of own) {
      const bar = this.#bars.get(nameOf(attempt));
      if (bar === undefined) continue;
      const { from, to = timeline.from + length } = attempt;
      bar.style.left = `${(100 * (from - timeline.from)) / length}%`;
      bar.style.width = `${(100 * Math.max(0, to - from)) / length}%`;
    }
  }

  #make(attempts: readonly Attempt[]): void {
    const names = new Set(attempts.map(nameOf));
    for (const [name, bar] of this.#bars) {
      if (names.has(name)) continue;
      bar.remove();
      this.#bars.delete(name);
    }
    for (const attempt of attempts) {
      const name = nameOf(attempt);
      let bar = this.#bars.get(name);
      if (bar === undefined) {
        const { kind, task } = attempt;
        bar = make(
          "span",
          { class: "bar", "data-kind": kind },
          kind === "publish" ? "P" : `${task}`,
        );
        this.#bars.set(name, bar);
        this.#track.append(bar);
      }
      setAttribute(bar, "data-fate", attempt.fate);
      setAttribute(bar, "title", attemptInWords(attempt));
    }
  }
}

const nameOf = ({ kind, task, attempt }: Attempt) => `${kind} ${task} ${attempt}`;
/** The axis has no fewer milliseconds. */
const SHORTEST = 500;
