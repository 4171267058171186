/** The lessons' page: a scene is staged in a world, and told moment by moment. */

import { Announcer } from "../announcer.js";
import { find, make, setAttribute, setEnabled, setText } from "../dom.js";
import { LastLook } from "../player/last-look.js";
import {
  AT_BEGINNING,
  ahead,
  faster,
  type Playhead,
  played,
  SPEEDS,
  stepped,
} from "../player/playhead.js";
import { Transport } from "../player/transport.js";
import type { Act } from "../sim/chunk.js";
import { linkTo } from "../sim/link.js";
import { Theatre } from "../sim/theatre.js";
import { NotLoaded } from "../sim/world.js";
import { Acts } from "../simulator/acts.js";
import { BoardView } from "../simulator/board.js";
import { History } from "../simulator/history.js";
import { Inspector } from "../simulator/inspector.js";
import type { Selection } from "../simulator/selection.js";
import { StageView } from "../stage/stage.js";
import { LESSON_WORDS, LESSONS_PAGE, type LessonWords, said } from "../words/lessons.js";
import { failureText, TROUBLE } from "../words/simulator.js";
import { type Beat, Director } from "./director.js";
import type { Lesson } from "./lesson.js";
import { LESSONS } from "./scenes.js";

/** The film is kept ahead of what is shown by so many virtual microseconds. */
const AHEAD = 300_000;

let lesson: Lesson = LESSONS[0] as Lesson;
let beats: readonly Beat[] = [];
/** What is said now: a place in `beats`. */
let step = 0;
/** The scene is over for once: the visitor has done something, or played beyond its end. */
let isFree = false;
let isDone = false;
let isStaging = true;
let head: Playhead = AT_BEGINNING;
let selection: Selection | null = null;
let lastFrame = 0;
let isAwake = false;
let variant: string | null = null;

const reduced = matchMedia("(prefers-reduced-motion: reduce)");
const announcer = new Announcer(find("announcer", HTMLElement));
const theatre = new Theatre(
  new Worker(new URL("../sim/worker.ts", import.meta.url), { type: "module" }),
  wake,
);
const director = new Director(theatre);
const lastLook = new LastLook(wake);

const select = (next: Selection) => {
  selection = next;
  wake();
};
const stage = new StageView(find("stage", HTMLElement), {
  selectNode: (id) => select({ kind: "node", id }),
  selectFlight: (id) => select({ kind: "flight", id }),
  selectEntry: (node, index) => select({ kind: "entry", node, index }),
});
const boardView = new BoardView(find("board", HTMLElement));
const transport = new Transport({
  play: (playing) => move({ ...head, playing }),
  step: (by) => move(stepped(head, theatre.film, by)),
  seek: (at) => move({ ...head, playing: false, moment: theatre.film.momentAt(at) }),
  speed: (by) => move(faster(head, by)),
});
const acts = new Acts({
  act: (...all) => void act(all),
  selectNode: (id) => select({ kind: "node", id }),
});
const inspector = new Inspector({ act: (one) => void act([one]), select });
const history = new History({
  select: (id) => select({ kind: "operation", id }),
  judge: () => void judge(),
});

const title = find("lesson-title", HTMLElement);
const says = make("p", { class: "says" });
/** All that is said, where no scene can be played. */
const wording = make("ol", { class: "wording", hidden: "" });
const source = make("p", { class: "source" });
const counter = make("span", {});
const back = button(LESSONS_PAGE.back, () => goTo(step - 1));
const next = button(LESSONS_PAGE.next, onward);
const task = make("p", { class: "task" });
const again = button(LESSONS_PAGE.again, () => begin(lesson, variant));
const without = button("", () => begin(lesson, variant === null ? (lesson.without ?? null) : null));
const elsewhere = make("a", { href: "./simulator.html" }, LESSONS_PAGE.simulator);
const steps = make("div", { class: "steps" }, back, next, counter);

find("telling", HTMLElement).append(
  source,
  says,
  wording,
  steps,
  task,
  make("div", { class: "steps" }, again, without),
  make("p", {}, elsewhere),
);
find("transport", HTMLElement).append(transport.element);
find("acts", HTMLElement).append(acts.element);
find("inspector", HTMLElement).append(inspector.element);
find("history", HTMLElement).append(history.element);

const links = LESSONS.map(({ id }) => make("a", { href: `#${id}` }, LESSON_WORDS[id].title));
find("lessons", HTMLElement).append(make("ol", {}, ...links.map((link) => make("li", {}, link))));

function button(label: string, act: () => void): HTMLButtonElement {
  const element = make("button", { type: "button" }, label);
  element.addEventListener("click", () => {
    if (element.getAttribute("aria-disabled") !== "true") act();
  });
  return element;
}

/** One scene is set after the other; of several that were asked for meanwhile only the last. */
let staged: Promise<void> = Promise.resolve();
let asked = 0;

function begin(other: Lesson, bug: string | null): void {
  asked += 1;
  const number = asked;
  staged = staged.then(async () => {
    if (number === asked) await setScene(other, bug);
  });
}

/** Stages a lesson, and shows its beginning. */
async function setScene(other: Lesson, bug: string | null): Promise<void> {
  [lesson, variant, isStaging, isFree, isDone, step, beats] = [
    other,
    bug,
    true,
    false,
    false,
    0,
    [],
  ];
  [selection, head] = [null, { ...AT_BEGINNING, speed: head.speed }];
  trouble(null);
  history.judged(undefined);
  const words: LessonWords = LESSON_WORDS[lesson.id];
  setText(title, words.title);
  setText(source, words.section);
  setText(says, LESSONS_PAGE.staging);
  for (const [at, link] of links.entries()) {
    if (LESSONS[at] === lesson) setAttribute(link, "aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  playable(true);
  try {
    await director.open({ ...lesson.spec, bug });
    await lesson.tell(director).catch((error: unknown) => {
      // Where a rule is missing a world may break before the scene is over; the last thing to see is that.
      if (theatre.film.failure === null) throw error;
    });
    beats = [...director.beats];
    isStaging = false;
    const [first] = beats;
    if (first !== undefined) head = { ...head, moment: first.moment };
    tell();
  } catch (error) {
    trouble(TROUBLE.loading, error);
    setText(says, LESSONS_PAGE.unplayed);
    wording.replaceChildren(...Object.values(words.says).map((said) => make("li", {}, said)));
    playable(false);
  }
  wake();
}

/** Without a scene there is nothing to go through, and its text is there to be read. */
function playable(is: boolean): void {
  wording.hidden = is;
  for (const element of [steps, elsewhere]) element.hidden = !is;
  if (!is) for (const element of [task, without]) element.hidden = true;
}

/** Plays on to what is said next; after the last thing the scene is the visitor's, and then comes the next lesson. */
function onward(): void {
  if (isStaging) return;
  if (step < beats.length - 1) {
    const to = beats[step + 1];
    if (to !== undefined && head.moment.event < to.moment.event && !reduced.matches)
      move({ ...head, playing: true });
    else goTo(step + 1);
    return;
  }
  const following = LESSONS[LESSONS.indexOf(lesson) + 1];
  if (following !== undefined) location.hash = following.id;
}

function goTo(at: number): void {
  const beat = beats[at];
  if (beat === undefined) return;
  step = at;
  isFree = false;
  move({ ...head, playing: false, moment: beat.moment });
  tell();
}

function move(to: Playhead): void {
  head = to;
  wake();
}

async function act(all: readonly Act[]): Promise<void> {
  const { playing } = head;
  try {
    let after = head.moment.event;
    for (const one of all) {
      await theatre.act(one, after);
      after += 1;
    }
    // What was to be said of a future that is not to be is said no more.
    beats = beats.filter(({ moment }) => moment.event < after);
    step = Math.min(step, beats.length - 1);
    isFree = true;
    history.judged(undefined);
    head = { ...head, playing: true, moment: theatre.film.momentOf(after) };
    trouble(null);
  } catch (error) {
    head = { ...head, playing };
    trouble(TROUBLE.refused, error);
  }
  wake();
}

async function judge(): Promise<void> {
  history.judged(await theatre.judge());
  wake();
}

function trouble(what: string | null, error?: unknown): void {
  find("trouble", HTMLElement).hidden = what === null;
  document.body.toggleAttribute("data-unplayed", error instanceof NotLoaded);
  if (what === null) return;
  const text = error instanceof Error ? error.message : String(error);
  setText(find("trouble-title", HTMLElement), what);
  const told = error instanceof NotLoaded ? TROUBLE.wasm(text) : text;
  setText(find("trouble-text", HTMLElement), told);
  setText(find("trouble-way", HTMLElement), LESSONS_PAGE.again);
}

/** Says what is to be said now, and tells screen readers when it is something new. */
function tell(): void {
  const words: LessonWords = LESSON_WORDS[lesson.id];
  const beat = beats[step];
  const { failure } = theatre.film;
  const broken =
    failure !== null && head.moment.event >= failure.event ? failureText(failure) : null;
  const text = broken ?? (beat === undefined ? "" : said(lesson.id, beat.says));
  if (says.textContent !== text) announcer.say(text);
  setText(says, text);
  setAttribute(says, "data-state", broken === null ? "holds" : "broken");
  setText(counter, LESSONS_PAGE.step(step + 1, beats.length));
  const isLast = step >= beats.length - 1;
  setText(next, isLast ? LESSONS_PAGE.following : LESSONS_PAGE.next);
  setEnabled(back, step > 0);
  setEnabled(next, !isLast || LESSONS.at(-1) !== lesson);
  task.hidden = !isLast;
  const taskText = isDone ? words.done : `${LESSONS_PAGE.task}: ${words.task}`;
  if (isDone && task.textContent !== taskText) announcer.say(taskText);
  setText(task, taskText);
  setAttribute(task, "data-done", String(isDone));
  without.hidden = lesson.without === undefined;
  setText(without, variant === null ? (words.without ?? "") : LESSONS_PAGE.with);
  const { spec } = theatre;
  if (spec !== undefined) {
    const before = theatre.acts.filter(({ after }) => after < head.moment.event);
    setAttribute(elsewhere, "href", `./${linkTo(spec, before, head.moment.event)}`);
  }
}

function wake(): void {
  if (isAwake) return;
  isAwake = true;
  requestAnimationFrame(frame);
}

function frame(now: number): void {
  isAwake = false;
  if (isStaging) return;
  const elapsed = lastFrame === 0 ? 0 : now - lastFrame;
  const { film } = theatre;
  const coming = isFree ? undefined : beats[step + 1];
  const goesOn = !film.ended && film.failure === null && !film.isFull;
  // A scene stops where something is to be said.
  if (head.playing && coming !== undefined && ahead(head, elapsed) >= coming.moment.at)
    goTo(step + 1);
  else head = played(head, elapsed, film, goesOn);
  lastFrame = head.playing ? now : 0;
  if (isFree || coming === undefined)
    theatre.reach(head.moment.at + AHEAD * Math.max(1, SPEEDS[head.speed] ?? 1));
  const picture = film.picture(head.moment);
  const selected = selection?.kind === "node" ? selection.id : null;
  stage.show(picture, { selected, reducedMotion: reduced.matches, playing: head.playing });
  transport.show(head, film);
  const board = film.board(head.moment.event);
  boardView.show(board);
  acts.show(picture.nodes, selected, board);
  // Where there is a job nobody asks a store for anything.
  find("history-panel", HTMLElement).hidden = board?.kind === "job";
  inspector.show(film, head.moment, selection, now);
  history.show(film, head.moment, now);
  lastLook.after(film, head.moment.event, head.moment.at, selection, head.playing);
  const isLast = step >= beats.length - 1;
  const end = beats.at(-1)?.moment.event ?? 0;
  if (isLast && (isFree || head.moment.event > end)) isDone ||= lesson.done(picture, board);
  tell();
  if (head.playing) wake();
}

function open(): void {
  const id = location.hash.slice(1);
  const found = LESSONS.find((other) => other.id === id) ?? (LESSONS[0] as Lesson);
  begin(found, null);
}

addEventListener("hashchange", () => {
  open();
  title.focus();
});
addEventListener("keydown", (event) => {
  const { target, key, ctrlKey, metaKey, altKey } = event;
  if (ctrlKey || metaKey || altKey) return;
  if (target instanceof Element && target.closest("input, select, textarea, .strip")) return;
  if (
    key === " " &&
    target instanceof Element &&
    target.closest("button, a, summary, [role=button]")
  )
    return;
  const done = keys[key];
  if (done === undefined) return;
  event.preventDefault();
  done();
});

const keys: Readonly<Record<string, () => void>> = {
  " ": () => move({ ...head, playing: !head.playing }),
  ArrowRight: () => move(stepped(head, theatre.film, 1)),
  ArrowLeft: () => move(stepped(head, theatre.film, -1)),
  Home: () => move({ ...head, playing: false, moment: theatre.film.momentAt(0) }),
  "+": () => move(faster(head, 1)),
  "-": () => move(faster(head, -1)),
  n: onward,
  p: () => goTo(step - 1),
};

addEventListener("resize", wake);
// How long a time the calls are listed of.
addEventListener("change", wake);
open();
