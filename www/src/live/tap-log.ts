/** The entries that a node sent since it was last asked: their terms, and the newest ones in words. Pure. */

import type { EntryPicture } from "../stage/picture.js";
import type { Run } from "./tap.js";
import { describeEntry, type EntryHead } from "./wire.js";

/** So many entries are told of in words. */
const IN_WORDS = 24;
/** That much of an entry is kept for it: it is gone once it is sent. */
const KEPT_BYTES = 128;
/** So many stretches of entries are told of; there are more if nodes that are far behind catch up. */
const MAX_RUNS = 64;

export class Log {
  #runs: Run[] = [];
  #entries: EntryHead[] = [];

  add({ index, term, before, what }: EntryHead): void {
    const run = this.#runs.at(-1);
    if (run !== undefined && run.term === term && run.first <= index && index <= run.last + 1) {
      // The same entries go to several nodes.
      if (index <= run.last) return;
      this.#runs[this.#runs.length - 1] = { ...run, last: index };
    } else {
      this.#runs.push({ first: index, last: index, term, before });
      if (this.#runs.length > MAX_RUNS) this.#runs.shift();
    }
    const kept = typeof what === "string" ? what : what.slice(0, KEPT_BYTES);
    this.#entries.push({ index, term, before, what: kept });
    if (this.#entries.length > IN_WORDS) this.#entries.shift();
  }

  /** What there is, which is forgotten. */
  take(): { runs: readonly Run[]; entries: readonly EntryPicture[] } {
    const entries = this.#entries.map(({ index, term, what }) => ({
      index,
      term,
      text: describeEntry(what),
    }));
    const taken = { runs: this.#runs, entries };
    this.#runs = [];
    this.#entries = [];
    return taken;
  }
}
