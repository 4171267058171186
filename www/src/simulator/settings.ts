/** What the world is made of: a form of all of its numbers. */

import { planted } from "virtual:planted";

import { make } from "../dom.js";
import type { Spec } from "../sim/chunk.js";
import { WORLD } from "../words/simulator.js";

export interface SettingsActions {
  begin(spec: Spec): void;
  /** Copies a link to this moment. */
  link(): void;
}

type NumberName = { [K in keyof Spec]: Spec[K] extends number ? K : never }[keyof Spec];

/** In the order of the form, with bounds as the simulator has them. */
const NUMBERS: readonly (readonly [Exclude<NumberName, "seed" | "torment">, number, number])[] = [
  ["nodes", 1, 7],
  ["clients", 0, 8],
  ["think", 1, 600_000],
  ["election", 10, 60_000],
  ["heartbeat", 1, 30_000],
  ["delay", 0, 60_000],
  ["loss", 0, 1_000],
  ["disk", 0, 60_000],
  ["snapshotEntries", 1, 10_000],
  ["batch", 1, 1_000],
  ["faults", 0, 600_000],
];

const SEED_MAX = Number.MAX_SAFE_INTEGER;

export class Settings {
  readonly element: HTMLFormElement;
  readonly #numbers = new Map<NumberName, HTMLInputElement>();
  readonly #world = select(WORLD.kinds);
  readonly #reads = select(WORLD.readers);
  readonly #bug = make("select", {});
  readonly #said = make("p", { role: "status" });
  #torment = 10_000;

  constructor(actions: SettingsActions) {
    this.#bug.append(
      make("option", { value: "" }, WORLD.noBug),
      ...planted.map(({ name, title }) => make("option", { value: name }, title)),
    );
    const number = (name: NumberName, min: number, max: number) => {
      const input = make("input", {
        type: "number",
        min: String(min),
        max: String(max),
        required: "",
      });
      this.#numbers.set(name, input);
      return make("label", {}, WORLD[name as Exclude<NumberName, "torment">], input);
    };
    const dice = make("button", { type: "button" }, WORLD.dice);
    dice.addEventListener("click", () => {
      const seed = this.#numbers.get("seed");
      if (seed !== undefined) seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0]);
      this.element.requestSubmit();
    });
    const link = make("button", { type: "button" }, WORLD.link);
    link.addEventListener("click", () => actions.link());
    this.element = make(
      "form",
      { class: "settings", autocomplete: "off" },
      make(
        "div",
        { class: "fields" },
        number("seed", 0, SEED_MAX),
        make("label", {}, WORLD.world, this.#world),
        ...NUMBERS.map(([name, min, max]) => number(name, min, max)),
        make("label", {}, WORLD.reads, this.#reads),
        make("label", {}, WORLD.bug, this.#bug),
      ),
      make(
        "div",
        { class: "buttons" },
        make("button", { type: "submit", class: "primary" }, WORLD.begin),
        dice,
        link,
      ),
      this.#said,
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      actions.begin(this.#spec());
    });
  }

  show(spec: Spec): void {
    for (const [name, input] of this.#numbers) input.value = String(spec[name]);
    this.#world.value = spec.world;
    this.#reads.value = spec.reads;
    this.#torment = spec.torment;
    if (spec.bug !== null && ![...this.#bug.options].some(({ value }) => value === spec.bug))
      this.#bug.append(make("option", { value: spec.bug }, spec.bug));
    this.#bug.value = spec.bug ?? "";
  }

  say(text: string): void {
    this.#said.textContent = text;
  }

  #spec(): Spec {
    const number = (name: NumberName) => this.#numbers.get(name)?.valueAsNumber ?? 0;
    const numbers = Object.fromEntries(NUMBERS.map(([name]) => [name, number(name)])) as Pick<
      Spec,
      Exclude<NumberName, "seed" | "torment">
    >;
    return {
      ...numbers,
      seed: number("seed"),
      torment: this.#torment,
      world: this.#world.value as Spec["world"],
      reads: this.#reads.value as Spec["reads"],
      bug: this.#bug.value === "" ? null : this.#bug.value,
    };
  }
}

function select(options: Readonly<Record<string, string>>): HTMLSelectElement {
  return make(
    "select",
    {},
    ...Object.entries(options).map(([value, label]) => make("option", { value }, label)),
  );
}
