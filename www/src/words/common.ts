/** Small things that all pages say alike. Pure. */

/** `text` with a capital first letter. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "node 1", "nodes 1 and 2", "nodes 1, 2 and 3". */
export function nodeList(ids: readonly number[]): string {
  const last = ids.at(-1);
  return ids.length < 2 ? `node ${last}` : `nodes ${ids.slice(0, -1).join(", ")} and ${last}`;
}

/** `text`, or its beginning with the length of the whole. */
export function shorten(text: string, most = 160): string {
  if (text.length <= most) return text;
  // Half of a pair of surrogates is no character.
  const start = text.slice(0, most).replace(/[\uD800-\uDBFF]$/, "");
  return `${start}… (${text.length.toLocaleString("en")} characters)`;
}

/** Minutes, seconds and tenths. */
export function clock(ms: number): string {
  const tenths = Math.floor(ms / 100);
  const seconds = (tenths % 600) / 10;
  return `${Math.floor(tenths / 600)}:${seconds.toFixed(1).padStart(4, "0")}`;
}

/** A number of bytes. */
export function bytes(count: number): string {
  if (count < 1_000) return `${count} B`;
  return count < 1_000_000
    ? `${(count / 1_000).toFixed(1)} KB`
    : `${(count / 1_000_000).toFixed(1)} MB`;
}

/** `text` with a full stop, if it has no end yet. */
export function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
