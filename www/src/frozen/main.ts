/** Three tabs share work through a leader, chosen in three ways at once. What happens when the leader's tab is frozen? */

import { broadcastChannel, Node, QuorateError } from "quorate";

import { find, make, setAttribute, setText } from "../dom.js";
import { library, quorate, type Way, webLock } from "./ways.js";

/** A leader works so often, in milliseconds. A browser lets hidden tabs do so once a second. */
const EVERY = 100;
/** Work that is missing for so long is called a pause: hidden tabs work once a second. */
const PAUSE = 2_500;

/** What every tab hears of every piece of work. */
interface Work {
  readonly way: Way["id"];
  readonly tab: number;
  readonly term: number;
  /** Which of two was done first, where the way can tell. */
  readonly revision: number;
}

const summary = find("summary", HTMLParagraphElement);
const events = find("events", HTMLOListElement);
const table = find("ways", HTMLTableSectionElement);

const node = await Node.open({ cluster: "frozen", transport: broadcastChannel() }).catch(
  (error: unknown) => {
    const text = error instanceof QuorateError ? `${error.message} (${error.code})` : String(error);
    setText(summary, `This tab cannot take part: ${text}`);
    throw error;
  },
);
/** What the tab is called in all three ways. */
const tab = node.id;
setText(summary, `This is tab ${tab}.`);
document.title = `Quorate: tab ${tab}`;

const channel = new BroadcastChannel("frozen-work");
channel.onmessage = ({ data }: MessageEvent<Work>) => heard(data);

/** A way as this tab sees it. */
class Row {
  /** Whose work was heard of last, and when. */
  last: (Work & { readonly at: number }) | undefined;
  longest = 0;
  readonly #cells: readonly HTMLTableCellElement[];

  constructor(way: Way) {
    this.#cells = [0, 1, 2].map(() => make("td"));
    const name = make("th", { scope: "row" }, way.name);
    table.append(make("tr", { "data-way": way.id }, name, ...this.#cells));
  }

  show(): void {
    const [leads, work, longest] = this.#cells;
    if (leads === undefined || work === undefined || longest === undefined) return;
    const { last } = this;
    if (last === undefined) return;
    const silent = Date.now() - last.at;
    const pause = Math.max(this.longest, silent > PAUSE ? silent : 0);
    setText(leads, last.tab === tab ? "this tab" : `tab ${last.tab}`);
    setText(work, silent > PAUSE ? `none for ${seconds(silent)}` : "goes on");
    setAttribute(work, "data-is", silent > PAUSE ? "none" : "some");
    setText(longest, pause > 0 ? seconds(pause) : "none");
  }
}

const ways = [webLock, library, quorate(node)];
const rows = new Map(ways.map((way) => [way.id, new Row(way)]));
const names = new Map(ways.map(({ id, name }) => [id, name]));
for (const way of ways) {
  way.join((work, term = 0) => {
    const once = async () => {
      // A call that fails is no work; whether it may go on is known when one is answered.
      const may = await work().catch(() => undefined);
      if (may === undefined) return true;
      if (may !== null) {
        const done: Work = { way: way.id, tab, term, revision: may };
        heard(done);
        channel.postMessage(done);
      }
      return may !== null;
    };
    const again = async () => {
      if (await once()) setTimeout(again, EVERY);
    };
    void again();
  });
}
setInterval(() => {
  for (const row of rows.values()) row.show();
}, 250);

function heard(work: Work): void {
  const row = rows.get(work.way);
  if (row === undefined) return;
  const at = Date.now();
  const { last } = row;
  row.last = { ...work, at };
  const gap = last === undefined ? 0 : at - last.at;
  if (gap > PAUSE && gap > row.longest) row.longest = gap;
  if (last?.tab === work.tab && last.term === work.term) return;
  const time = new Date(at);
  const term = work.term > 0 ? ` in term ${work.term}` : "";
  const text = `${names.get(work.way)}: tab ${work.tab} works${term}`;
  const data = Object.entries({ ...work, at }).map(([name, value]) => [`data-${name}`, `${value}`]);
  events.prepend(
    make(
      "li",
      Object.fromEntries(data),
      make("time", { datetime: time.toISOString() }, time.toLocaleTimeString()),
      ` ${text}`,
    ),
  );
  while (events.childElementCount > 100) events.lastElementChild?.remove();
  row.show();
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
