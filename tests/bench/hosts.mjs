// The whole path: calls of `Cluster` with three workers and durable state, in browsers and on Node, beside what the machine takes by itself.

import { inChromium, inFirefox, measurePage } from "./browser.mjs";
import { depths, isLeftOut, sizes } from "./load.mjs";
import { measureNode } from "./node.mjs";
import { count, mediansOf, names, print, time, times, verdict } from "./table.mjs";

/** By the name of the part. */
export const hosts = {
  browser: {
    title: "Three workers in Chromium, IndexedDB strict",
    measure: (ms) => measurePage(inChromium, ms),
  },
  relaxed: {
    title: "Three workers in Chromium, IndexedDB relaxed",
    measure: (ms) => measurePage(inChromium, ms, "relaxed"),
  },
  firefox: {
    title: "Three workers in Firefox, IndexedDB strict",
    measure: (ms) => measurePage(inFirefox, ms),
  },
  node: { title: "Three threads on Node, append and fdatasync", measure: measureNode },
};

const tables = ["limits", "puts", "stages", "gets", "calls", "crowd"];

/** Measures these hosts in turns. A host that cannot be measured has the reason in place of figures. */
export async function measureHosts(parts, ms, repeat) {
  const runs = Object.fromEntries(parts.map((name) => [name, []]));
  const missing = Object.fromEntries(parts.map((name) => [name, []]));
  for (let turn = 0; turn < repeat; turn++) {
    for (const name of parts) {
      try {
        runs[name].push(await hosts[name].measure(ms));
      } catch (error) {
        missing[name].push(error.message.split("\n")[0]);
      }
    }
  }
  return Object.fromEntries(
    parts.map((name) => {
      const across = (table) => mediansOf(runs[name].map((run) => run[table]));
      const measured = runs[name].length === 0 ? [] : tables.map((table) => [table, across(table)]);
      return [name, { ...Object.fromEntries(measured), missing: missing[name] }];
    }),
  );
}

export function printHost(name, host) {
  const { title } = hosts[name];
  if (host.limits !== undefined) {
    printLimits(title, host);
    printPuts(title, host);
    printStages(title, host);
    printGets(title, host);
    printCalls(title, host);
    printCrowd(title, host);
  }
  for (const reason of host.missing) console.log(`\nNot measured, a run of "${title}": ${reason}`);
}

function printLimits(title, { limits }) {
  const rows = limits.map(({ size, port, durable, three }) => [
    names[size],
    time(port),
    time(durable),
    time(three),
  ]);
  const heads = ["bytes", "port round trip", "durable write", "three at once"];
  print(`${title}: what the machine takes by itself`, heads, rows);
}

function printPuts(title, { limits, puts }) {
  const rows = puts.map(({ size, depth, perSecond, p50, p95, p99, shared }) => {
    const { port, durable, three } = limits.find((row) => row.size === size);
    return [
      names[size],
      depth,
      count(perSecond),
      time(p50),
      time(p95),
      time(p99),
      times(p50 / floor(port, durable)),
      times(p50 / floor(port, three)),
      times((perSecond * three) / 1000),
      shared?.toFixed(1) ?? "",
    ];
  });
  const heads = ["value", "in flight", "puts/s", "p50", "p95", "p99"];
  print(title, [...heads, "p50/one", "p50/three", "puts/three", "puts/round"], rows);
  const all = sizes.flatMap((size) => depths.map((depth) => ({ size, depth })));
  const left = all.filter(({ size, depth }) => isLeftOut(size, depth));
  const shown = left.map(({ size, depth }) => `${count(depth)} × ${names[size]}`).join(", ");
  console.log(`\nLeft out, for a client takes less than 64 MiB of calls at once: ${shown}`);
}

function printStages(title, { limits, stages }) {
  const { port, durable, three } = limits.find(({ size }) => size === 16);
  const rows = stages.map(({ put, commit, leader, followers }) =>
    [put, commit, leader, followers, put - commit, commit - leader, port, durable, three].map(time),
  );
  const heads = ["put", "commit", "leader writes", "followers write", "put − commit"];
  const floors = ["commit − write", "port", "durable write", "three at once"];
  print(`${title}: where a put of 16 B that is alone waits, means`, [...heads, ...floors], rows);
}

function printGets(title, { limits, puts, gets }) {
  const rows = gets.map(({ size, depth, perSecond, p50, p95, p99 }) => {
    const { port } = limits.find((row) => row.size === size);
    const put = puts.find((cell) => cell.size === size && cell.depth === depth);
    return [
      names[size],
      depth,
      count(perSecond),
      time(p50),
      time(p95),
      time(p99),
      times(p50 / (2 * port)),
      put === undefined ? "" : times(perSecond / put.perSecond),
    ];
  });
  const heads = ["value", "in flight", "gets/s", "p50", "p95", "p99", "p50/ports", "gets/puts"];
  print(`${title}: linearizable gets`, heads, rows);
}

function printCalls(title, { puts, calls }) {
  const rows = calls.map(({ name, depth, perSecond, p50, p95, p99 }) => [
    name,
    depth,
    count(perSecond),
    time(p50),
    time(p95),
    time(p99),
    times(p50 / ofSmall(puts, depth).p50),
  ]);
  const heads = ["16 B", "in flight", "calls/s", "p50", "p95", "p99", "p50/put"];
  print(`${title}: other calls of the store`, heads, rows);
}

function printCrowd(title, { puts, crowd }) {
  const rows = crowd.map(({ watchers, events, p50, p95, p99 }) => [
    watchers,
    count(events),
    time(p50),
    time(p95),
    time(p99),
    times(p50 / ofSmall(puts, 1).p50),
  ]);
  const heads = ["watchers", "events/s", "p50", "p95", "p99", "p50/put"];
  print(`${title}: one writer, and how long until all have heard of its put`, heads, rows);
}

/** The aims, met or not. */
export function printAims(results) {
  const lines = [];
  const say = (what, value, limit, isMet) => lines.push([what, value, limit, verdict(isMet)]);
  for (const [name, { limits, puts, gets }] of Object.entries(results)) {
    if (limits === undefined) continue;
    const { port, durable } = limits.find(({ size }) => size === 16);
    const alone = ofSmall(puts, 1).p50 / floor(port, durable);
    say(`${name}: p50 of a put alone`, times(alone), "at most 2× one", alone <= 2);
    const { perSecond } = ofSmall(puts, 256);
    if (name === "browser")
      say("browser: 256 in flight", `${count(perSecond)}/s`, "at least 8,000/s", perSecond >= 8000);
    const ratio = ofSmall(gets, 256).perSecond / perSecond;
    say(`${name}: gets at 256 in flight`, times(ratio), "at least 5× the puts", ratio >= 5);
  }
  if (lines.length > 0) print("The whole path, 16 B: aims", ["", "is", "aim", ""], lines);
}

const ofSmall = (cells, depth) => cells.find((cell) => cell.size === 16 && cell.depth === depth);

/** What a put cannot do without: to the leader and back, on to a follower and back, and what is durable meanwhile. */
function floor(port, durable) {
  return 2 * port + durable;
}
