/** A user's machine in simulated clusters: deterministic, tormented, and watched. */

import { integer, invalid, number, record, show, signalOf } from "../check.js";
import { decodeResult, isMistake } from "../machine/codec.js";
import type { AnyMachine, Machine, Thrown } from "../machine/types.js";
import { askedOf, type Call } from "./simulation/clients.js";
import { loadCore } from "./simulation/core.js";
import { FAULTS } from "./simulation/faults.js";
import { reportOf } from "./simulation/report.js";
import { type Shrunk, smaller } from "./simulation/shrink.js";
import { type Maker, makers } from "./simulation/source.js";
import type {
  Fault,
  MachineSource,
  SimulatedCall,
  SimulateOptions,
  Simulation,
  SimulationFailure,
  SimulationTrace,
} from "./simulation/types.js";
import { judge } from "./simulation/verdict.js";
import { seconds } from "./simulation/words.js";
import { type Shape, World } from "./simulation/world.js";

/**
 * Lives worlds in which a cluster runs the machine, one for each seed, until one fails. What it finds is in the result,
 * and thrown by its `assert()`. Rejects with `INVALID_ARGUMENT`, `MACHINE_LOAD`, `MACHINE_INVALID` or `WASM_LOAD`, with what
 * `command`, `query` or `mayThrow` throw, and with the signal's reason.
 */
export async function simulate<M extends AnyMachine = Machine>(
  machine: MachineSource<M>,
  options: SimulateOptions<M>,
): Promise<Simulation<M>> {
  const { shape, seeds, mayThrow, shrink, signal } = read(options);
  signal?.throwIfAborted();
  await loadCore();
  const lived = (one: Shape, all: readonly Maker[]) => live<M>(all, one, mayThrow, signal);
  const made = (one: Shape) => makers(machine as MachineSource, one.nodes + 2);
  const fresh = async (one: Shape) => lived(one, await made(one));
  // No engine frees a module again: worlds share them while nothing is found. What is told comes of modules of its own.
  let shared: readonly Maker[] | undefined;
  for (let world = 1; ; world++) {
    const one = { ...shape, seed: shape.seed + world - 1 };
    if (world < seeds && shared !== undefined && (await lived(one, shared)).ok) continue;
    const all = await made(one);
    let result = await lived(one, all);
    if (result.ok && world < seeds) {
      shared = all;
      continue;
    }
    if (!result.ok && shrink) result = await smaller(one, result, fresh, signal);
    return finished({ ...result, worlds: world });
  }
}

/** Lives the world of a trace again: with the same machine the result is the same, and so is its hash. */
export async function replay<M extends AnyMachine = Machine>(
  machine: MachineSource<M>,
  trace: SimulationTrace,
  options: Pick<SimulateOptions<M>, "mayThrow" | "signal"> = {},
): Promise<Simulation<M>> {
  if (trace?.version !== 1 || !Array.isArray(trace.calls)) {
    throw invalid(`a trace is what a simulation has as "trace", of version 1, not ${show(trace)}`);
  }
  const { version: _, calls, hash: __, faults, ...world } = trace;
  const chosen = Object.fromEntries(faults.map((name) => [name, true]));
  const command = () => undefined as never;
  const { shape, mayThrow, signal } = read({ ...options, ...world, faults: chosen, command });
  await loadCore();
  const all = await makers(machine as MachineSource, shape.nodes + 2);
  const result = await live<M>(all, { ...shape, recorded: calls }, mayThrow, signal);
  return finished({ ...result, worlds: 1 });
}

type MayThrow = (thrown: Thrown, command: unknown) => boolean;

/** As it was when this module was loaded: tests put others in its place, which stand still. */
const { setTimeout } = globalThis;

/** One world from its first event to the verdict. */
async function live<M extends AnyMachine>(
  all: readonly Maker[],
  shape: Shape,
  mayThrow: MayThrow,
  signal: AbortSignal | undefined,
): Promise<Shrunk<M>> {
  const [model, probe] = all.slice(shape.nodes) as [() => never, () => never];
  const world = new World(shape, all);
  const turn = async () => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    signal?.throwIfAborted();
  };
  await world.live(turn);
  const { calls, execution } = world;
  const judged = { calls, execution, model, probe, mayThrow, sight: world.sight() };
  const ended = seconds(world.queue.now);
  let failure: SimulationFailure | undefined = world.failure;
  if (failure === undefined) {
    const found = await judge(judged, turn);
    if (found !== undefined) failure = { ...found, at: ended };
  }
  const count = (outcome: Call["outcome"]) =>
    calls.filter((call) => call.outcome === outcome).length;
  const hash = String(world.digest);
  return {
    ok: failure === undefined,
    seed: shape.seed,
    ...(failure === undefined ? {} : { failure }),
    verdict: verdictOf(failure),
    history: calls.map((call) => toldOf<M>(call, world)),
    counts: {
      calls: calls.length,
      answered: count("answered"),
      unknown: count("unknown") + count("open"),
      commands: execution.log.filter(({ tag }) => tag !== undefined).length,
      starts: world.processes.reduce((sum, { starts }) => sum + starts, 0),
      elections: world.terms,
      snapshots: execution.snapshots,
      restores: execution.restores,
      events: world.events,
      faults: { ...world.faults.counts, messages: world.faults.counts.messages + world.mishaps },
    },
    seconds: ended,
    hash,
    trace: {
      version: 1,
      seed: shape.seed,
      nodes: shape.nodes,
      clients: shape.clients,
      seconds: shape.seconds,
      faults: shape.faults,
      calls: world.asked,
      hash,
    },
    looks: Object.fromEntries(world.surroundings.looks),
  };
}

function verdictOf(failure: SimulationFailure | undefined): Simulation["verdict"] {
  if (failure === undefined) return "linearizable";
  return failure.kind === "not-linearizable" ? "not-linearizable" : "unchecked";
}

function toldOf<M extends AnyMachine>(call: Call, world: World): SimulatedCall<M> {
  const { client, isQuery, invoked, returned, answer, outcome } = call;
  const result = answer === undefined ? undefined : decodeResult(answer);
  const index = isQuery ? undefined : world.execution.placeOf(call.tag)?.index;
  const told = {
    client,
    ...(isQuery ? { query: askedOf(call) } : { command: askedOf(call) }),
    invoked: seconds(invoked),
    ...(Number.isFinite(returned) ? { returned: seconds(returned) } : {}),
    outcome:
      result?.type === "thrown" ? "threw" : outcome === "open" ? ("unknown" as const) : outcome,
    ...(result?.type === "value" ? { result: result.value } : {}),
    ...(result?.type === "thrown" ? { thrown: result.thrown } : {}),
    ...(index === undefined ? {} : { index }),
  };
  return told as SimulatedCall<M>;
}

function finished<M extends AnyMachine>(
  result: Omit<Simulation<M>, "report" | "assert">,
): Simulation<M> {
  const report = reportOf(result as Simulation);
  const assert = () => {
    if (!result.ok) throw new Error(report);
  };
  return { ...result, report, assert };
}

interface Read {
  readonly shape: Shape;
  readonly seeds: number;
  readonly mayThrow: MayThrow;
  readonly shrink: boolean;
  readonly signal: AbortSignal | undefined;
}

function read<M extends AnyMachine>(options: SimulateOptions<M>): Read {
  record(options, "the options", OPTIONS);
  const { command, query, seed = 1, seeds = 1, nodes = 3, clients = 4, shrink = true } = options;
  const mayThrow = options.mayThrow ?? isAnswer;
  for (const [name, value] of Object.entries({ command, query: query ?? command, mayThrow })) {
    if (typeof value !== "function") throw invalid(`"${name}" is a function, not ${show(value)}`);
  }
  if (typeof shrink !== "boolean") throw invalid('"shrink" is true or false');
  return {
    shape: {
      seed: integer(seed, '"seed"', 0, 2 ** 48),
      nodes: integer(nodes, '"nodes"', 1, 7),
      clients: integer(clients, '"clients"', 1, 64),
      seconds: number(options.seconds ?? 10, '"seconds"', 0, 3_600),
      faults: faultsOf(options.faults ?? "all"),
      command,
      query,
      recorded: undefined,
    },
    seeds: integer(seeds, '"seeds"', 1, 1_000_000),
    mayThrow: mayThrow as MayThrow,
    shrink,
    signal: signalOf(options.signal),
  };
}

function faultsOf(faults: NonNullable<SimulateOptions["faults"]>): readonly Fault[] {
  if (faults === "all") return FAULTS;
  if (faults === "none") return [];
  record(faults, '"faults"', FAULTS);
  for (const [name, value] of Object.entries(faults)) {
    if (typeof value !== "boolean") throw invalid(`"faults.${name}" is true or false`);
  }
  return FAULTS.filter((name) => faults[name] === true);
}

/** What is thrown on purpose. */
function isAnswer({ name, code }: Thrown): boolean {
  return !isMistake(name, code);
}

const OPTIONS = [
  "command",
  "query",
  "seed",
  "seeds",
  "nodes",
  "clients",
  "seconds",
  "faults",
  "mayThrow",
  "shrink",
  "signal",
] as const satisfies readonly (keyof SimulateOptions)[];
