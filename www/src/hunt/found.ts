/** Which planted bugs the visitor has found, kept in this browser as far as it keeps anything. */

/** Who found a bug: the visitor by hand, or the search. */
export type Finder = "hand" | "search";

export type Found = ReadonlyMap<string, Finder>;

const KEY = "quorate.found";

/** What a browser keeps: `localStorage`, but for tests. */
type Keep = Pick<Storage, "getItem" | "setItem">;

/** Whatever is kept there, and where nothing is kept: it is no error to have found nothing. */
export function readFound(keep: () => Keep = () => localStorage): Found {
  try {
    const kept: unknown = JSON.parse(keep().getItem(KEY) ?? "{}");
    if (typeof kept !== "object" || kept === null) return new Map();
    const finders = Object.entries(kept).filter(
      (entry): entry is [string, Finder] => entry[1] === "hand" || entry[1] === "search",
    );
    return new Map(finders);
  } catch {
    return new Map();
  }
}

/** Notes a find; what was found by hand stays so. Answers with all there are. */
export function noteFound(
  bug: string,
  finder: Finder,
  keep: () => Keep = () => localStorage,
): Found {
  const before = readFound(keep);
  const found = new Map(before).set(bug, before.get(bug) === "hand" ? "hand" : finder);
  try {
    keep().setItem(KEY, JSON.stringify(Object.fromEntries(found)));
  } catch {
    // A private window, or no room: it is known until the page is left.
  }
  return found;
}
