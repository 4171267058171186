/** What stands out in a film: the marks of its timeline. Pure. */

import type { EventRow } from "../sim/chunk.js";

export type MarkKind = "leader" | "fault" | "act";

/** A mark at a time (virtual microseconds). */
export interface Mark {
  readonly at: number;
  readonly kind: MarkKind;
}

/** The mark of a line of the trace, if it has one. */
export function markOf({ kind, at, why }: EventRow): Mark | null {
  switch (kind) {
    case "crash":
    case "halt":
    case "fault":
      return { at, kind: "fault" };
    case "act":
      return { at, kind: "act" };
    case "role":
      return why?.reason === "becameLeader" ? { at, kind: "leader" } : null;
    default:
      return null;
  }
}

/** The marks of a film that grows, each line looked at once. */
export class Marks {
  #rows: readonly EventRow[] = [];
  #seen = 0;
  #marks: Mark[] = [];

  /** The marks of these lines. An array that is another one, or shorter, is looked at from its beginning. */
  of(rows: readonly EventRow[]): readonly Mark[] {
    if (rows !== this.#rows || rows.length < this.#seen) {
      [this.#rows, this.#seen, this.#marks] = [rows, 0, []];
    }
    for (; this.#seen < rows.length; this.#seen++) {
      const mark = markOf(rows[this.#seen] as EventRow);
      if (mark !== null) this.#marks.push(mark);
    }
    return this.#marks;
  }
}
