/** What a person reads of a simulation. */

import type { Simulation } from "./types.js";

type Told = Omit<Simulation, "report" | "assert">;

export function reportOf(simulation: Told): string {
  const { ok, seed, worlds, failure, counts, seconds, looks, trace, verdict } = simulation;
  const faults = Object.entries(counts.faults).filter(([, count]) => count > 0);
  const world = [
    `${trace.nodes} nodes, ${trace.clients} clients, ${trace.seconds} s, faults: ${trace.faults.join(", ") || "none"}`,
    `${counts.commands} commands, ${counts.answered} of ${counts.calls} calls answered, ${counts.unknown} with an unknown outcome`,
    `${counts.starts} starts, ${counts.elections} elections, ${counts.snapshots} snapshots, ${counts.restores} of them restored`,
    `faults met: ${faults.map(([name, count]) => `${name} ${count}`).join(", ") || "none"}`,
  ];
  if (ok || failure === undefined) {
    const several = worlds > 1 ? `${worlds} worlds, the last with seed ${seed}` : `seed ${seed}`;
    return [
      `simulation: ${several}: ${verdict}, ${seconds} simulated seconds`,
      ...indent(world),
    ].join("\n");
  }
  const seen = Object.entries(looks).map(([what, count]) => `${what}, ${count} times`);
  return [
    `simulation: seed ${seed}: ${failure.kind}, after ${failure.at} simulated seconds`,
    failure.message,
    ...indent(failure.details),
    ...hints(simulation),
    ...(seen.length > 0
      ? ["The machine looked at what is another on every node:", ...indent(seen)]
      : []),
    `The world, ${worlds > 1 ? `the first of ${worlds} that failed` : "as it was"}:`,
    ...indent(world),
    "Replay it: replay(machine, result.trace), or simulate(machine, " +
      `{ seed: ${seed}, nodes: ${trace.nodes}, clients: ${trace.clients}, seconds: ${trace.seconds}, faults: ${faultsOf(simulation)}, … })`,
  ].join("\n");
}

function faultsOf({ trace }: Told): string {
  if (trace.faults.length === 0) return '"none"';
  return `{ ${trace.faults.map((name) => `${name}: true`).join(", ")} }`;
}

/** Where it mostly comes from. */
function hints({ failure }: Told): string[] {
  switch (failure?.kind) {
    case "diverged":
      return [
        "Something decides that is neither in a command nor in the snapshot: a clock, chance, a variable of the module, a field that snapshot() leaves out, or an order that it does not keep.",
      ];
    case "restore":
      return [
        "snapshot() leaves something out, or restore() does not take it all, or in another order.",
      ];
    case "half-done":
      return ["Throw before anything is changed: nothing is rolled back."];
    case "not-linearizable":
      return [
        "query() answers from something else than the state, or apply() replies what it did not do.",
      ];
    case "threw":
      return ["If that is an answer: give the error a code, or allow it with mayThrow."];
    default:
      return [];
  }
}

const indent = (lines: readonly string[]) => lines.map((line) => `  ${line}`);
