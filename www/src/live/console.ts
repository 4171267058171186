/** The console's part of the page: lines, an input with a history, and the locks that are held. */

import { find, make, setText } from "../dom.js";
import { completions } from "./grammar.js";

/** So many lines are kept, and so many that were typed. */
const MAX_LINES = 300;
const MAX_HISTORY = 100;

export class ConsoleView {
  readonly #lines = find("console-lines", HTMLElement);
  readonly #input = find("console-input", HTMLInputElement);
  readonly #hint = find("console-hint", HTMLElement);
  readonly #locks = find("console-locks", HTMLElement);
  readonly #unlock: (name: string) => void;
  #history: string[] = [];
  /** Where in the history one is; its length: at what is being typed. */
  #place = 0;
  #draft = "";

  constructor(run: (line: string) => void, unlock: (name: string) => void) {
    this.#unlock = unlock;
    find("console-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const line = this.#input.value;
      if (line.trim() === "") return;
      this.#history = [...this.#history.filter((old) => old !== line), line].slice(-MAX_HISTORY);
      this.#place = this.#history.length;
      this.#input.value = "";
      this.#say("typed", line);
      run(line);
    });
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#input.addEventListener("input", () =>
      setText(this.#hint, completions(this.#input.value).join("  ")),
    );
  }

  line(text: string): void {
    this.#say("said", text);
  }

  error(text: string): void {
    this.#say("failed", text);
  }

  clear(): void {
    this.#lines.replaceChildren();
  }

  /** Shows the locks that are held, each with a button that lets it go. */
  locks(names: readonly string[]): void {
    // The button that was pressed goes away.
    if (this.#locks.contains(document.activeElement)) this.#input.focus();
    this.#locks.replaceChildren(
      ...names.map((name) => {
        const button = make("button", { type: "button" }, `Unlock ${name}`);
        button.addEventListener("click", () => this.#unlock(name));
        return make("li", {}, button);
      }),
    );
  }

  #say(kind: "typed" | "said" | "failed", text: string): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#lines;
    const atEnd = scrollHeight - scrollTop - clientHeight < 40;
    this.#lines.append(make("p", { "data-kind": kind }, text));
    while (this.#lines.childElementCount > MAX_LINES) this.#lines.firstChild?.remove();
    if (atEnd || kind === "typed") this.#lines.scrollTop = this.#lines.scrollHeight;
  }

  #key(event: KeyboardEvent): void {
    if (event.key === "ArrowUp") this.#go(-1, event);
    else if (event.key === "ArrowDown") this.#go(1, event);
    else if (event.key === "Tab" && !event.shiftKey) this.#complete(event);
  }

  #go(by: number, event: KeyboardEvent): void {
    event.preventDefault();
    if (this.#place === this.#history.length) this.#draft = this.#input.value;
    this.#place = Math.min(this.#history.length, Math.max(0, this.#place + by));
    this.#input.value = this.#history[this.#place] ?? this.#draft;
    this.#input.setSelectionRange(this.#input.value.length, this.#input.value.length);
  }

  /** As far as all names that are possible agree. Where there is nothing to add, Tab goes on to what comes next. */
  #complete(event: KeyboardEvent): void {
    const names = completions(this.#input.value);
    const [first] = names;
    if (first === undefined) return;
    let end = first.length;
    while (!names.every((name) => name.startsWith(first.slice(0, end)))) end--;
    const common = first.slice(0, end) + (names.length === 1 ? " " : "");
    if (common === this.#input.value.trimStart()) return;
    event.preventDefault();
    this.#input.value = common;
    setText(this.#hint, completions(common).join("  "));
  }
}
