/** The page of the hunt: one hunt at a time, in all worlds or for one bug. */

import { Announcer } from "../announcer.js";
import { find, setText } from "../dom.js";
import * as words from "../words/hunt.js";
import { Board, type Wanted } from "./board.js";
import { Bugs, bugs, type Search, titleOf } from "./bugs.js";
import { type Finder, noteFound, readFound } from "./found.js";
import { Pack } from "./pack.js";
import { MAX_WORKERS, TORMENT } from "./settings.js";
import { add, type Batch, beginning, resumed, type Tally } from "./tally.js";

/** Figures move so often, in milliseconds. */
const SHOW_MS = 100;

const cores = Math.min(navigator.hardwareConcurrency || 1, MAX_WORKERS);
const announcer = new Announcer(find("announcer", HTMLElement));

let found = readFound();
let pack: Pack | undefined;
/** The hunt in all worlds. */
let tally: Tally = beginning(performance.now());
let bug: string | null = null;
let state: words.State = "waiting";
/** The hunt for one bug. */
let search: Search | undefined;
let goesOnHidden = false;
let painting: ReturnType<typeof setTimeout> | undefined;

const board = new Board(bugs, cores, {
  start,
  stop,
  resize: (workers) => {
    if (search?.isRunning !== true) pack?.resize(workers);
  },
  setHidden: (goesOn) => {
    goesOnHidden = goesOn;
    lookWhetherHidden();
  },
});
const list = new Bugs({ search: begin, stop });

function start({ bug: wanted, first, workers }: Wanted): void {
  stop();
  search = undefined;
  bug = wanted;
  tally = beginning(performance.now());
  state = "loading";
  announcer.say(words.begun(workers, bug === null ? null : titleOf(bug)));
  hunt(bug, first, workers, lived);
}

function lived(batch: Batch): void {
  const now = performance.now();
  // The module's loading is no part of the pace.
  if (state === "loading") [state, tally] = ["running", resumed(tally, now)];
  tally = add(tally, batch, now);
  if (bug !== null && batch.finds.length > 0) note(bug, "search");
  for (const one of batch.finds.slice(0, 1)) announcer.say(words.found(one));
  paint();
}

/** Searches the seeds from 1 on until one shows the bug. */
function begin(wanted: string): void {
  stop();
  search = { bug: wanted, isRunning: true, worlds: 0, find: undefined };
  announcer.say(words.begun(cores, titleOf(wanted)));
  hunt(wanted, 1, cores, (batch) => {
    if (search === undefined) return;
    const [one] = batch.finds;
    search = { ...search, worlds: search.worlds + batch.worlds, find: one };
    if (one !== undefined) {
      search = { ...search, isRunning: false };
      note(wanted, "search");
      announcer.say(words.searched(search.worlds, one));
      end();
    }
    paint();
  });
}

function hunt(
  wanted: string | null,
  first: number,
  workers: number,
  listener: (batch: Batch) => void,
): void {
  const hire = () => new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const quarry = { bug: wanted, torment: TORMENT, first };
  pack = new Pack(hire, quarry, { lived: listener, failed });
  find("trouble", HTMLElement).hidden = true;
  lookWhetherHidden();
  pack.resize(workers);
  paint();
}

function stop(): void {
  if (pack === undefined) return;
  if (search?.isRunning === true) search = { ...search, isRunning: false };
  else {
    state = "ended";
    announcer.say(words.ended(tally.worlds, tally.failed));
  }
  end();
  paint();
}

function end(): void {
  pack?.end();
  pack = undefined;
}

function failed(text: string): void {
  stop();
  setText(find("trouble-text", HTMLElement), words.unloadable(text));
  find("trouble", HTMLElement).hidden = false;
}

function note(name: string, finder: Finder): void {
  if (!found.has(name)) found = new Map([...found, ...noteFound(name, finder)]);
}

/** Nobody looks: the visitor's cores are not for us then, unless they said so. */
function lookWhetherHidden(): void {
  const isPaused = document.hidden && !goesOnHidden;
  pack?.pause(isPaused);
  if (state === "running" && isPaused) state = "paused";
  else if (state === "paused" && !isPaused)
    [state, tally] = ["running", resumed(tally, performance.now())];
  paint();
}

function paint(): void {
  if (painting !== undefined) return;
  painting = setTimeout(() => {
    painting = undefined;
    board.show(state, tally, bug, performance.now());
    list.show(found, search);
    // The pace falls when nothing comes.
    if (state === "running") paint();
  }, SHOW_MS);
}

document.addEventListener("visibilitychange", lookWhetherHidden);
board.show(state, tally, bug, performance.now());
list.show(found, search);
