// Figures as a person reads them.

/** Of several results of one shape, the median of each number. */
export function medians(results) {
  const median = (name) => {
    if (typeof results[0][name] === "string") return results[0][name];
    const sorted = results.map((result) => result[name]).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
  };
  return Object.fromEntries(Object.keys(results[0]).map((name) => [name, median(name)]));
}

const names = { 16: "16 B", 1024: "1 KiB", 65536: "64 KiB" };

export function printCore({ native, wasm }) {
  const rows = native.map((cell, at) => [
    names[cell.size],
    cell.depth,
    count(cell.perSecond),
    time(cell.p50),
    time(cell.p99),
    count(wasm[at].perSecond),
    time(wasm[at].p50),
    time(wasm[at].p99),
    times(cell.perSecond / wasm[at].perSecond),
  ]);
  const heads = [
    "value",
    "in flight",
    "native/s",
    "p50",
    "p99",
    "wasm/s",
    "p50",
    "p99",
    "native/wasm",
  ];
  print("The core alone: three nodes and a client in one thread, nothing to wait for", heads, rows);
}

export function printHost(title, { limits, cells }) {
  const limitRows = limits.map(({ size, port, durable, three }) => [
    names[size],
    time(port),
    time(durable),
    time(three),
  ]);
  print(
    `${title}: what the machine takes by itself`,
    ["bytes", "port round trip", "durable write", "three at once"],
    limitRows,
  );
  const rows = cells.map(({ size, depth, perSecond, p50, p99, shared }) => {
    const limit = limits.find((row) => row.size === size);
    return [
      names[size],
      depth,
      count(perSecond),
      time(p50),
      time(p99),
      times(p50 / floor(limit.port, limit.durable)),
      times(p50 / floor(limit.port, limit.three)),
      times((perSecond * limit.three) / 1000),
      shared.toFixed(1),
    ];
  });
  const heads = [
    "value",
    "in flight",
    "commits/s",
    "p50",
    "p99",
    "p50/one",
    "p50/three",
    "commits/three",
    "puts/round",
  ];
  print(title, heads, rows);
}

export function printStore(title, { calls, crowd }) {
  const put = (depth) => calls.find((cell) => cell.name === "put" && cell.depth === depth);
  const rows = calls.map(({ name, depth, perSecond, p50, p99 }) => [
    name,
    depth,
    count(perSecond),
    time(p50),
    time(p99),
    times(p50 / put(depth).p50),
  ]);
  const heads = ["16 B", "in flight", "calls/s", "p50", "p99", "p50/put"];
  print(`${title}: calls of the store`, heads, rows);
  const heard = crowd.map(({ watchers, events, p50, p99 }) => [
    watchers,
    count(events),
    time(p50),
    time(p99),
    times(p50 / put(1).p50),
  ]);
  const columns = ["watchers", "events/s", "p50", "p99", "p50/put"];
  print(`${title}: one writer, and how long until all have heard of its put`, columns, heard);
}

/** The aims of the first version, met or not. */
export function aims({ limits, cells }) {
  const single = cells.find(({ size, depth }) => size === 16 && depth === 1);
  const { port, durable, three } = limits.find((row) => row.size === 16);
  const ratio = single.p50 / floor(port, durable);
  const { shared } = cells.find(({ size, depth }) => size === 16 && depth === 256);
  const verdict = (good) => (good ? "met" : "missed");
  console.log(
    `\nA put alone costs ${times(ratio)} of (two port round trips + one strict transaction); at most 3: ${verdict(ratio <= 3)}`,
  );
  console.log(
    `The three nodes write at once, and the browser lets their transactions queue: by three strict transactions at once it is ${times(single.p50 / floor(port, three))}`,
  );
  console.log(
    `Puts that share a transaction at 256 in flight: ${shared.toFixed(1)}; at least 20: ${verdict(shared >= 20)}`,
  );
}

/** What a put cannot do without: to the leader and back, on to a follower and back, and what is durable meanwhile. */
function floor(port, durable) {
  return 2 * port + durable;
}

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
export const time = (ms) => (ms < 1 ? `${(ms * 1000).toFixed(0)} µs` : `${ms.toFixed(1)} ms`);
export const times = (ratio) => `${ratio.toFixed(ratio < 10 ? 2 : 0)}×`;
