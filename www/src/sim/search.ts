/** The place of the last of `rows`, which are in order of `key`, whose key is at most `value`; -1 if there is none. */
export function lastUpTo<T>(rows: readonly T[], key: (row: T) => number, value: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (key(rows[middle] as T) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
