/** The controls of a film: play, step, speed, and a timeline to scrub. Shows a playhead; says what the visitor wants. */

import { make, setAttribute, setText } from "../dom.js";
import type { Film } from "../sim/film.js";
import { BUTTONS, MOMENT_LABEL, momentText, seconds, speedText } from "../words/player.js";
import { Marks } from "./marks.js";
import { type Playhead, SPEEDS } from "./playhead.js";

export interface TransportActions {
  play(on: boolean): void;
  step(by: 1 | -1): void;
  /** To a virtual time in microseconds. */
  seek(at: number): void;
  speed(by: 1 | -1): void;
}

/** How much time the timeline shows at first, and how much more when that is lived, in microseconds. */
const SPAN = 5_000_000;

export class Transport {
  readonly element: HTMLElement;
  readonly #buttons = new Map<keyof typeof BUTTONS, HTMLButtonElement>();
  readonly #range = make("input", {
    type: "range",
    min: "0",
    step: "1",
    "aria-label": MOMENT_LABEL,
  });
  readonly #time = make("output", { class: "time" });
  readonly #speed = make("output", { class: "speed" });
  readonly #marks = make("canvas", { class: "marks", "aria-hidden": "true" });
  readonly #known = new Marks();
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  #size = { width: 0, height: 0 };
  #drawn = "";
  #playing = false;

  constructor(actions: TransportActions) {
    const button = (name: keyof typeof BUTTONS, act: () => void) => {
      const { label, face, keys } = BUTTONS[name];
      const attributes = {
        type: "button",
        "aria-label": label,
        title: label,
        "aria-keyshortcuts": keys,
      };
      const element = make("button", attributes, make("span", { "aria-hidden": "true" }, face));
      element.addEventListener("click", act);
      this.#buttons.set(name, element);
      return element;
    };
    this.element = make(
      "div",
      { class: "transport", role: "group", "aria-label": "Time" },
      make(
        "div",
        { class: "buttons" },
        button("begin", () => actions.seek(0)),
        button("back", () => actions.step(-1)),
        button("play", () => actions.play(!this.#playing)),
        button("forward", () => actions.step(1)),
      ),
      make("div", { class: "timeline" }, this.#marks, this.#range),
      this.#time,
      make(
        "div",
        { class: "buttons" },
        button("slower", () => actions.speed(-1)),
        this.#speed,
        button("faster", () => actions.speed(1)),
      ),
    );
    // Its size is learned when it changes: to ask for it in each frame would lay out the page.
    new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = this.#marks;
      this.#size = { width, height };
    }).observe(this.#marks);
    this.#range.addEventListener("input", () => actions.seek(this.#range.valueAsNumber * 1_000));
  }

  show({ moment, playing, speed }: Playhead, film: Film): void {
    this.#playing = playing;
    const play = this.#buttons.get("play");
    const { label, face } = playing ? BUTTONS.pause : BUTTONS.play;
    if (play !== undefined && play.title !== label) {
      play.title = label;
      play.setAttribute("aria-label", label);
      setText(play.firstElementChild ?? play, face);
    }
    const span = Math.max(SPAN, Math.ceil((film.end.at + 1) / SPAN) * SPAN);
    const [max, value] = [String(span / 1_000), String(Math.round(moment.at / 1_000))];
    setAttribute(this.#range, "max", max);
    if (this.#range.value !== value) this.#range.value = value;
    // A screen reader that follows the focus would hear each frame.
    if (!playing) setAttribute(this.#range, "aria-valuetext", momentText(moment));
    setText(this.#time, seconds(moment.at));
    setText(this.#speed, speedText(SPEEDS[speed] ?? 1));
    this.#draw(film, span);
  }

  /** The marks, and how far the film goes; only when they changed. */
  #draw(film: Film, span: number): void {
    const marks = this.#known.of(film.rows);
    const { width, height } = this.#size;
    const x = (at: number) => (at / span) * width;
    const theme = `${document.documentElement.getAttribute("data-theme")} ${this.#dark.matches}`;
    const drawn = `${width} ${height} ${span} ${Math.round(x(film.end.at))} ${marks.length} ${film.failure?.event} ${devicePixelRatio} ${theme}`;
    if (drawn === this.#drawn || width === 0) return;
    this.#drawn = drawn;
    this.#marks.width = width * devicePixelRatio;
    this.#marks.height = height * devicePixelRatio;
    const context = this.#marks.getContext("2d");
    if (context === null) return;
    context.scale(devicePixelRatio, devicePixelRatio);
    const style = getComputedStyle(this.#marks);
    const color = (name: string) => style.getPropertyValue(`--${name}`);
    context.fillStyle = color("mark-lived");
    context.fillRect(0, height - 3, x(film.end.at), 3);
    for (const { at, kind } of marks) {
      context.fillStyle = color(`mark-${kind}`);
      // Leaders stand tall, faults hang from above, acts are in the middle: not by color alone.
      const [top, length] =
        kind === "leader"
          ? [4, height - 4]
          : kind === "fault"
            ? [0, height / 2]
            : [height / 2, height / 2];
      context.fillRect(x(at) - 1, top, 2, length);
    }
    if (film.failure !== null) {
      context.fillStyle = color("mark-failure");
      context.fillRect(x(film.end.at) - 2, 0, 4, height);
    }
  }
}
