/** A machine of one's own in simulated clusters. */

import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { quorateError } from "../errors.js";
import type { Fault, SimulateOptions } from "../testing/simulation/types.js";
import type { Call, Command } from "./command.js";
import { EXIT, UsageError } from "./exit.js";
import { numberOf } from "./values.js";

export const SIM: Command = {
  name: "sim",
  takes: "MODULE",
  about: "look for mistakes in a state machine, in simulated clusters",
  more: `The module's default export is the machine. It also exports "command", a function (random, client) that gives
what a client asks for next, and may export "query", the same for questions, and "mayThrow".

  quorate sim bank.js --seeds 100
  quorate sim bank.js --seed 42 --faults crashes,losses --trace failed.json`,
  options: {
    seed: { value: "N", about: "the first world (1)" },
    seeds: { value: "N", about: "how many, until one fails (20)" },
    seconds: { value: "N", about: "of faults in each, simulated (10)" },
    nodes: { value: "N", about: "1 to 7 (3)" },
    clients: { value: "N", about: "1 to 64 (4)" },
    faults: { value: "LIST", about: "all, none, or some of them with commas between (all)" },
    trace: { value: "FILE", about: "where to put what replays a world that failed" },
  },
  on: "alone",
  run: sim,
};

async function sim({ args: [path = ""], options, out, signal }: Call): Promise<number> {
  const url = pathToFileURL(resolve(path));
  const asked = await load(url);
  const given: Record<string, number> = { seeds: 20 };
  for (const name of ["seed", "seeds", "seconds", "nodes", "clients"]) {
    const value = options.read(name, numberOf);
    if (value !== undefined) given[name] = value;
  }
  const faults = faultsOf(options.text("faults") ?? "all");
  // Only now: no other command needs it.
  const { simulate } = await import("../testing/simulate.js");
  const result = await simulate(url, { ...asked, ...given, faults, signal });
  const { ok, seed, worlds, failure, verdict, counts, seconds, hash, looks, report, trace } =
    result;
  const file = options.text("trace");
  const told = { ok, seed, worlds, failure, verdict, counts, seconds, hash, looks };
  if (ok) {
    out.say(told, report);
    return EXIT.done;
  }
  const code = out.no(told, report);
  if (file !== undefined)
    await writeFile(file, JSON.stringify(trace)).catch((cause) => out.fail(unwritten(file, cause)));
  return code;
}

/** What was found is told all the same. */
function unwritten(file: string, cause: unknown) {
  const message = `${file} cannot be written: ${String(cause)}`;
  return quorateError("STORAGE_WRITE_FAILED", message, { cause, place: file });
}

type Asked = Pick<SimulateOptions, "command" | "query" | "mayThrow">;

/** What the module says of its use. */
async function load(url: URL): Promise<Asked> {
  let module: Partial<Asked>;
  try {
    module = (await import(url.href)) as Partial<Asked>;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw quorateError("MACHINE_LOAD", `the machine ${url.href} does not load: ${why}`);
  }
  const { command, query, mayThrow } = module;
  if (typeof command !== "function") {
    throw new UsageError(
      `${url.href} exports no function "command", which gives what clients ask for`,
    );
  }
  return { command, ...(query && { query }), ...(mayThrow && { mayThrow }) };
}

function faultsOf(list: string): NonNullable<SimulateOptions["faults"]> {
  if (list === "all" || list === "none") return list;
  const names = list.split(",").map((name) => name.trim() as Fault);
  return Object.fromEntries(names.map((name) => [name, true]));
}
