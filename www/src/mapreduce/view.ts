/** Shows the model. Keeps what it made, and changes what differs. */

import { Announcer } from "../announcer.js";
import { find, make, setAttribute, setEnabled, setText } from "../dom.js";
import { clock } from "../words/common.js";
import { Chart } from "./chart.js";
import type { Choice, JobName } from "./jobs.js";
import { type Happening, type Model, mayCancel, mayStart, type Outcome } from "./model.js";
import { type NodeActions, NodeCards } from "./nodes.js";
import {
  advice,
  bytes,
  COLUMNS,
  comparison,
  filesInWords,
  isSame,
  rate,
  seconds,
  summary,
  verdict,
} from "./words.js";

/** What a visitor can do. */
export interface Actions {
  /** Without files the sample, of so many bytes. */
  begin(choice: Choice, files: readonly File[] | number): void;
  cancel(): void;
  killWorker(worker: number): void;
  addWorker(): void;
  removeWorker(): void;
  readonly node: NodeActions;
  retry(): void;
}

const FACTS = ["Read", "Rate", "Map tasks", "Reduce tasks", "Time"] as const;

export class View {
  readonly #summary = find("summary", HTMLElement);
  readonly #trouble = find("trouble", HTMLElement);
  readonly #troubleText = find("trouble-text", HTMLElement);
  readonly #troubleAdvice = find("trouble-advice", HTMLElement);
  readonly #start = find("start", HTMLButtonElement);
  readonly #cancel = find("cancel", HTMLButtonElement);
  readonly #add = find("add", HTMLButtonElement);
  readonly #remove = find("remove", HTMLButtonElement);
  readonly #killLeader = find("kill-leader", HTMLButtonElement);
  readonly #chosen = find("chosen", HTMLElement);
  readonly #meter = find("meter", HTMLProgressElement);
  readonly #facts = new Map(FACTS.map((name) => [name, make("dd", {}, "–")]));
  readonly #result = find("result", HTMLElement);
  readonly #events = find("events", HTMLElement);
  readonly #announcer = new Announcer(find("announcer", HTMLElement));
  readonly #chart: Chart;
  readonly #nodes: NodeCards;
  #model: Model | undefined;
  #files: readonly File[] = [];
  #newest = 0;
  #spoken = "";
  #written: Outcome["written"] | undefined;
  #download: string | undefined;

  constructor(actions: Actions) {
    const rowsTitle = find("rows-title", HTMLElement);
    const scale = find("scale", HTMLElement);
    this.#chart = new Chart(find("rows", HTMLElement), scale, rowsTitle, actions.killWorker);
    this.#nodes = new NodeCards(find("nodes", HTMLElement), actions.node);
    for (const [name, value] of this.#facts)
      find("facts", HTMLElement).append(make("div", {}, make("dt", {}, name), value));
    const when = (may: (model: Model) => boolean, act: () => void) => () => {
      if (this.#model !== undefined && may(this.#model)) act();
    };
    this.#cancel.addEventListener("click", when(mayCancel, actions.cancel));
    this.#add.addEventListener("click", when(mayAdd, actions.addWorker));
    this.#remove.addEventListener("click", when(mayRemove, actions.removeWorker));
    this.#killLeader.addEventListener("click", () => {
      const leader = this.#model?.leader;
      if (typeof leader === "number") actions.node.kill(leader);
    });
    find("retry", HTMLButtonElement).addEventListener("click", actions.retry);
    this.#listenToForm(actions);
  }

  #listenToForm({ begin }: Actions): void {
    const form = find("job", HTMLFormElement);
    const job = find("what", HTMLSelectElement);
    const pattern = find("pattern", HTMLInputElement);
    const size = find("size", HTMLSelectElement);
    const files = find("files", HTMLInputElement);
    const drop = find("drop", HTMLElement);
    const take = (list: FileList | null) => {
      if (list !== null && list.length > 0) this.#choose([...list]);
    };
    files.addEventListener("change", () => take(files.files));
    find("sample", HTMLButtonElement).addEventListener("click", () => {
      files.value = "";
      this.#choose([]);
    });
    size.addEventListener("change", () => this.#showChosen());
    const showPattern = () => {
      find("pattern-label", HTMLElement).hidden = job.value !== "grep";
      pattern.required = job.value === "grep";
    };
    job.addEventListener("change", showPattern);
    // Whatever the browser kept of an earlier visit.
    showPattern();
    this.#showChosen();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#model === undefined || !mayStart(this.#model)) return;
      const choice = { job: job.value as JobName, pattern: pattern.value };
      begin(choice, this.#files.length > 0 ? this.#files : Number(size.value));
    });
    // A file that is dropped beside the field is not opened instead of the page.
    for (const type of ["dragover", "drop"] as const)
      document.addEventListener(type, (event) => event.preventDefault());
    const isOver = (is: boolean) => () => setAttribute(drop, "data-over", String(is));
    drop.addEventListener("dragover", isOver(true));
    drop.addEventListener("dragleave", isOver(false));
    drop.addEventListener("drop", (event) => {
      isOver(false)();
      take(event.dataTransfer?.files ?? null);
    });
  }

  #choose(files: readonly File[]): void {
    this.#files = files;
    this.#showChosen();
  }

  #showChosen(): void {
    const size = Number(find("size", HTMLSelectElement).value);
    const chosen =
      this.#files.length > 0 ? filesInWords(this.#files) : `A sample of ${bytes(size)}`;
    setText(this.#chosen, chosen);
  }

  /** `now` is the time since the page began, `jobNow` the job's. */
  show(model: Model, now: number, jobNow: number): void {
    this.#model = model;
    const { stage, trouble, leader } = model;
    setText(this.#summary, summary(model));
    setAttribute(document.body, "data-phase", stage);
    this.#trouble.hidden = trouble === null;
    if (trouble !== null) {
      setText(this.#troubleText, `${trouble.text} (${trouble.code})`);
      setText(this.#troubleAdvice, advice(trouble));
    }
    setEnabled(this.#start, mayStart(model));
    setEnabled(this.#cancel, mayCancel(model));
    setEnabled(this.#add, mayAdd(model));
    setEnabled(this.#remove, mayRemove(model));
    setEnabled(this.#killLeader, leader !== null);
    this.#nodes.show(model);
    this.#chart.show(model, jobNow);
    this.#showProgress(model, now);
    this.#showOutcome(model.outcome);
    this.#showHappenings(model.happenings);
  }

  #showProgress({ progress, began, ended }: Model, now: number): void {
    if (progress === null) {
      this.#meter.value = 0;
      for (const value of this.#facts.values()) setText(value, "–");
      return;
    }
    const { input, map, reduce } = progress;
    const time = (ended ?? now) - began;
    this.#meter.max = input.bytes;
    this.#meter.value = input.read;
    const values: Record<(typeof FACTS)[number], string> = {
      Read: `${bytes(input.read)} of ${bytes(input.bytes)}`,
      Rate: rate(input.read, time),
      "Map tasks": `${map.completed} of ${map.total}`,
      "Reduce tasks": `${reduce.completed} of ${reduce.total}`,
      Time: seconds(time),
    };
    for (const [name, value] of this.#facts) setText(value, values[name]);
  }

  #showOutcome(outcome: Outcome | null): void {
    this.#result.hidden = outcome === null;
    if (outcome === null) return;
    const same = isSame(outcome);
    const text = find("verdict", HTMLElement);
    setText(text, verdict(outcome));
    setAttribute(text, "data-same", String(same ?? "unknown"));
    setText(find("comparison", HTMLElement), comparison(outcome));
    const { plain, written } = outcome;
    setText(find("digest", HTMLElement), written.digest);
    setText(find("plain-digest", HTMLElement), typeof plain === "string" ? "–" : plain.digest);
    if (same !== undefined && this.#spoken !== written.digest + same) {
      this.#spoken = written.digest + same;
      this.#announcer.say(verdict(outcome).replace(/\.$/, ""));
    }
    if (this.#written === written) return;
    this.#written = written;
    this.#showWritten(outcome);
  }

  #showWritten({ choice, written, counters }: Outcome): void {
    const [key, value, caption] = COLUMNS[choice.job];
    setText(find("best-caption", HTMLElement), `${caption}, of ${written.lines} lines`);
    setText(find("best-key", HTMLElement), key);
    setText(find("best-value", HTMLElement), value);
    find("best", HTMLElement).replaceChildren(
      ...written.best.map(([key, value]) =>
        make("tr", {}, make("th", { scope: "row" }, key), make("td", {}, value)),
      ),
    );
    find("counters", HTMLElement).replaceChildren(
      ...Object.entries(counters).map(([name, count]) =>
        make("div", {}, make("dt", {}, name), make("dd", {}, count.toLocaleString("en"))),
      ),
    );
    if (this.#download !== undefined) URL.revokeObjectURL(this.#download);
    this.#download = URL.createObjectURL(written.blob);
    const link = make(
      "a",
      { href: this.#download, download: `${choice.job}.txt` },
      `Download all of it (${bytes(written.blob.size)})`,
    );
    find("download", HTMLElement).replaceChildren(link);
  }

  #showHappenings(happenings: readonly Happening[]): void {
    const fresh = happenings.filter(({ number }) => number > this.#newest);
    if (fresh.length === 0) return;
    this.#newest = happenings[0]?.number ?? this.#newest;
    this.#events.prepend(
      ...fresh.map(({ at, kind, text }) =>
        make("li", { "data-kind": kind }, make("time", {}, clock(at)), make("span", {}, text)),
      ),
    );
    while (this.#events.childElementCount > happenings.length) this.#events.lastChild?.remove();
    for (const { text } of fresh.reverse()) this.#announcer.say(text.replace(/\.$/, ""));
  }
}

const WORKERS_MAX = 16;
const present = ({ workers }: Model) => workers.filter(({ isGone }) => !isGone).length;
const isOpen = ({ stage }: Model) => stage !== "opening" && stage !== "failed";
const mayAdd = (model: Model) => isOpen(model) && present(model) < WORKERS_MAX;
const mayRemove = (model: Model) => isOpen(model) && present(model) > 1;
