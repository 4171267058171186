/** The simulator's page: a world in a worker, its film, and a view of one moment of it. */

import { planted } from "virtual:planted";

import { Announcer } from "../announcer.js";
import { find, make, setText } from "../dom.js";
import { noteFound } from "../hunt/found.js";
import { LastLook } from "../player/last-look.js";
import {
  AT_BEGINNING,
  faster,
  type Playhead,
  played,
  SPEEDS,
  stepped,
} from "../player/playhead.js";
import { Transport } from "../player/transport.js";
import type { Act, Failure, PlacedAct, Spec } from "../sim/chunk.js";
import { linkTo, readLink } from "../sim/link.js";
import { DEFAULT_SPEC } from "../sim/spec.js";
import { Theatre } from "../sim/theatre.js";
import { NotLoaded } from "../sim/world.js";
import type { Picture } from "../stage/picture.js";
import { StageView } from "../stage/stage.js";
import { ENDED, FULL, failureText, linkTrouble, TROUBLE, WORLD } from "../words/simulator.js";
import { describeCluster } from "../words/stage.js";
import { Acts } from "./acts.js";
import { BoardView } from "./board.js";
import { Events } from "./events.js";
import { History } from "./history.js";
import { Inspector } from "./inspector.js";
import { Lights } from "./lights.js";
import type { Selection } from "./selection.js";
import { Settings } from "./settings.js";

/** The film is kept ahead of what is shown by so many real milliseconds of playing. */
const AHEAD_MS = 1_500;
/** But by no more than this, in virtual microseconds, so that little is lived in vain. */
const AHEAD_MAX = 5_000_000;
const AHEAD_MIN = 50_000;

let head: Playhead = AT_BEGINNING;
let selection: Selection | null = null;
let painted:
  | readonly [film: object, event: number, at: number, selection: Selection | null, end: object]
  | undefined;
let lastFrame = 0;

const reduced = matchMedia("(prefers-reduced-motion: reduce)");
const summary = find("summary", HTMLElement);
const announcer = new Announcer(find("announcer", HTMLElement));
const theatre = new Theatre(
  new Worker(new URL("../sim/worker.ts", import.meta.url), { type: "module" }),
  wake,
);

const select = (next: Selection) => {
  selection = next;
  wake();
};
const stage = new StageView(find("stage", HTMLElement), {
  selectNode: (id) => select({ kind: "node", id }),
  selectFlight: (id) => {
    pause();
    select({ kind: "flight", id });
  },
  selectEntry: (node, index) => select({ kind: "entry", node, index }),
});
const boardView = new BoardView(find("board", HTMLElement));
const transport = new Transport({
  play: (on) => (on ? play() : pause()),
  step: (by) => step(by),
  seek: (at) => {
    head = { ...head, playing: false, moment: theatre.film.momentAt(at) };
    theatre.reach(at);
    wake();
  },
  speed: (by) => {
    head = faster(head, by);
    wake();
  },
});
const acts = new Acts({
  act: (...all) => void act(all),
  selectNode: (id) => select({ kind: "node", id }),
});
const inspector = new Inspector({ act: (one) => void act([one]), select });
const events = new Events((event) => {
  head = { ...head, playing: false, moment: theatre.film.momentOf(event) };
  select({ kind: "event", event });
});
const lights = new Lights();
const history = new History({
  select: (id) => select({ kind: "operation", id }),
  judge: () => void judge(),
});
let settings: Settings;

find("transport", HTMLElement).append(transport.element);
find("acts", HTMLElement).append(acts.element);
find("inspector", HTMLElement).append(inspector.element);
find("events", HTMLElement).append(events.element);
find("lights", HTMLElement).append(lights.element);
find("history", HTMLElement).append(history.element);

function play(): void {
  head = { ...head, playing: true };
  wake();
}

function pause(): void {
  head = { ...head, playing: false };
  wake();
}

function step(by: 1 | -1): void {
  head = stepped(head, theatre.film, by);
  wake();
}

/** Does things at the moment that is shown. Another future begins there. */
async function act(all: readonly Act[]): Promise<void> {
  const playing = head.playing;
  head = { ...head, playing: false };
  try {
    let after = head.moment.event;
    for (const one of all) {
      await theatre.act(one, after);
      after += 1;
    }
    history.judged(undefined);
    const { moment } = head;
    const next = theatre.film.momentOf(after);
    head = { ...head, playing, moment: { event: next.event, at: Math.max(next.at, moment.at) } };
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

/** What is wrong with this world on purpose, and what to try. */
function showBug(name: string | null): void {
  const bug = planted.find((known) => known.name === name);
  const element = find("bug", HTMLElement);
  element.hidden = bug === undefined;
  if (bug === undefined) return;
  const hint = bug.try === null ? [] : [make("p", {}, `${WORLD.hint}: ${bug.try}`)];
  element.replaceChildren(
    make("h2", {}, bug.title),
    make("p", {}, `${bug.breaks} ${bug.paper}`),
    ...hint,
  );
}

/** Begins a world, and goes to a moment of it. */
async function begin(spec: Spec, placed: readonly PlacedAct[] = [], at = 0): Promise<void> {
  trouble(null);
  head = { ...AT_BEGINNING, speed: head.speed };
  selection = null;
  try {
    await theatre.open(spec, placed, at);
    const names = await theatre.names();
    lights.list(names.properties);
    head = { ...head, moment: theatre.film.momentOf(at) };
    history.judged(undefined);
    settings.show(spec);
    showBug(spec.bug);
  } catch (error) {
    trouble(TROUBLE.loading, error);
  }
  wake();
}

function trouble(title: string | null, error?: unknown): void {
  find("trouble", HTMLElement).hidden = title === null;
  document.body.toggleAttribute("data-unplayed", error instanceof NotLoaded);
  if (title === null) return;
  const text = error instanceof Error ? error.message : String(error);
  setText(find("trouble-title", HTMLElement), title);
  const told = error instanceof NotLoaded ? TROUBLE.wasm(text) : text;
  setText(find("trouble-text", HTMLElement), told);
  setText(find("trouble-way", HTMLElement), TROUBLE.way);
}

async function copyLink(): Promise<void> {
  if (theatre.spec === undefined) return;
  const before = theatre.acts.filter(({ after }) => after < head.moment.event);
  const link = linkTo(theatre.spec, before, head.moment.event);
  window.history.replaceState(null, "", link.slice(link.indexOf("#")));
  try {
    await navigator.clipboard.writeText(location.href);
    settings.say(WORLD.copied);
  } catch {
    settings.say(WORLD.notCopied);
  }
}

let isAwake = false;

/** Something may look otherwise: a frame is painted. While a film plays each frame asks for the next. */
function wake(): void {
  if (isAwake) return;
  isAwake = true;
  requestAnimationFrame(frame);
}

function frame(now: number): void {
  isAwake = false;
  const elapsed = lastFrame === 0 ? 0 : now - lastFrame;
  const { film } = theatre;
  const goesOn = !film.ended && film.failure === null && !film.isFull;
  head = played(head, elapsed, film, goesOn);
  lastFrame = head.playing ? now : 0;
  const ahead = AHEAD_MS * 1_000 * (SPEEDS[head.speed] ?? 1);
  theatre.reach(head.moment.at + Math.min(Math.max(ahead, AHEAD_MIN), AHEAD_MAX));
  paint(now);
  if (head.playing) wake();
}

let said = "";
let marked: Failure | null = null;
const lastLook = new LastLook(wake);

function paint(now: number): void {
  const { film } = theatre;
  const { moment } = head;
  const [paintedFilm, event, at, paintedSelection, end] = painted ?? [];
  // A film that was told more may know more of the same moment: at its beginning all nodes.
  const same =
    film === paintedFilm &&
    event === moment.event &&
    at === moment.at &&
    selection === paintedSelection &&
    end === film.end;
  transport.show(head, film);
  events.show(film, moment, head.playing, now);
  inspector.show(film, moment, selection, now);
  history.show(film, moment, now);
  lights.show(film.failure, moment);
  lastLook.after(film, moment.event, moment.at, selection, head.playing);
  if (same) return;
  painted = [film, moment.event, moment.at, selection, film.end];
  const picture = film.picture(moment);
  const selected = selection?.kind === "node" ? selection.id : null;
  stage.show(picture, { selected, reducedMotion: reduced.matches, playing: head.playing });
  const board = film.board(moment.event);
  boardView.show(board);
  // Where there is a job nobody asks a store for anything.
  find("history-panel", HTMLElement).hidden = board?.kind === "job";
  acts.show(picture.nodes, selected, board);
  tell(picture);
}

/** Who leads, for eyes and ears. */
function tell(picture: Picture): void {
  const { film } = theatre;
  const atEnd = head.moment.event >= film.end.event;
  const end = !atEnd
    ? ""
    : film.failure !== null
      ? failureText(film.failure)
      : film.ended
        ? ENDED
        : film.isFull
          ? FULL
          : "";
  if (atEnd && film.failure !== null && film.failure !== marked) {
    marked = film.failure;
    // The calls that contradict each other, where it is about those.
    if (marked.operations.length > 0) history.judged(marked);
  }
  const bug = theatre.spec?.bug ?? null;
  // What was found in a campaign was found by a search.
  if (atEnd && film.failure !== null && bug !== null && theatre.spec?.world === "scene")
    noteFound(bug, "hand");
  const text = [describeCluster(picture), end].filter((part) => part !== "").join(". ");
  setText(summary, text);
  if (text !== said) announcer.say(text);
  said = text;
}

addEventListener("keydown", (event) => {
  const { target, key, ctrlKey, metaKey, altKey } = event;
  if (ctrlKey || metaKey || altKey) return;
  const element = target instanceof Element ? target : null;
  if (element?.closest("input, select, textarea, [contenteditable]")) return;
  const pressed = element?.closest("button, a, summary, [role=button]");
  if (key === " " && pressed) return;
  const done = keys[key];
  if (done === undefined) return;
  event.preventDefault();
  done();
});

const keys: Readonly<Record<string, () => void>> = {
  " ": () => (head.playing ? pause() : play()),
  ArrowRight: () => step(1),
  ArrowLeft: () => step(-1),
  Home: () => {
    head = { ...head, playing: false, moment: theatre.film.momentAt(0) };
    wake();
  },
  "+": () => {
    head = faster(head, 1);
    wake();
  },
  "-": () => {
    head = faster(head, -1);
    wake();
  },
};

async function open(): Promise<void> {
  const link = readLink(location.hash);
  const problem = linkTrouble(link);
  settings = new Settings({ begin: (spec) => void begin(spec), link: () => void copyLink() });
  find("world", HTMLElement).replaceChildren(settings.element);
  if (link.kind === "place") await begin(link.place.spec, link.place.acts, link.place.at);
  else await begin(DEFAULT_SPEC);
  if (problem !== null) trouble(TROUBLE.link, problem);
  if (link.kind === "nothing") play();
}

addEventListener("hashchange", () => void open());
addEventListener("resize", wake);
// Which lines are listed, and how long a time.
addEventListener("change", wake);
await open();
