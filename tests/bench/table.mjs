// Figures as a person reads them.

/** Of several results of one shape, the median of each number; of one that some of them lack, none. */
export function medians(results) {
  const median = (name) => {
    if (typeof results[0][name] === "string") return results[0][name];
    return middle(results.map((result) => result[name]));
  };
  return Object.fromEntries(Object.keys(results[0]).map((name) => [name, median(name)]));
}

/** Of several tables, the medians row by row. */
export const mediansOf = (tables) =>
  tables[0].map((_, at) => medians(tables.map((rows) => rows[at])));

function middle(numbers) {
  if (numbers.includes(undefined)) return undefined;
  return percentile(numbers, 0.5);
}

/** So large a part of the numbers is below it. */
export function percentile(numbers, part) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** Sizes in bytes. */
export const names = { 16: "16 B", 256: "256 B", 1024: "1 KiB", 65536: "64 KiB", 1048576: "1 MiB" };

/** A table under its title. */
export function print(title, heads, rows) {
  console.log(`\n${title}\n`);
  const lines = [heads, heads.map(() => "---"), ...rows].map((row) => row.map(String));
  const widths = heads.map((_, at) => Math.max(...lines.map((line) => line[at].length)));
  for (const line of lines) {
    const cells = line.map((cell, at) =>
      cell === "---" ? "-".repeat(widths[at]) : cell.padStart(widths[at]),
    );
    console.log(`| ${cells.join(" | ")} |`);
  }
}

export const count = (number) => Math.round(number).toLocaleString("en");
/** Milliseconds; nothing where nothing was measured. */
export const time = (ms) => {
  if (ms === undefined) return "";
  return ms < 1 ? `${(ms * 1000).toFixed(0)} µs` : `${ms.toFixed(1)} ms`;
};
export const times = (ratio) => `${ratio.toFixed(ratio < 10 ? 2 : 0)}×`;
export const verdict = (isMet) => (isMet ? "met" : "missed");
