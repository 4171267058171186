/** From a module's URL to a machine, inside the worker. */

import { show } from "../check.js";
import { type ErrorCode, type QuorateError, quorateError } from "../errors.js";
import { Adapter, type Machine, snapshotOf } from "./adapter.js";
import { messageOf } from "./codec.js";

/**
 * Loads the module and makes its machine. Rejects with `MACHINE_LOAD` or `MACHINE_INVALID`; nothing was opened yet.
 * A worker that runs several nodes, or one after another, has a copy of the module for each: what it exports, or keeps in
 * variables, may be a state.
 */
export async function loadMachine(url: string): Promise<Adapter> {
  return adapterOf(await readModule(url, url), url);
}

/** The default export of a module; `name` is what errors call it. */
export async function readModule(url: string, name: string): Promise<unknown> {
  try {
    const times = loads.get(url) ?? 0;
    loads.set(url, times + 1);
    return (await load(times === 0 ? url : copyOf(url, times))).default;
  } catch (error) {
    throw failure("MACHINE_LOAD", name, `does not load: ${messageOf(error)}`);
  }
}

/** Makes the machine of what a module exports, or throws `MACHINE_INVALID`. */
export function adapterOf(exported: unknown, name: string): Adapter {
  try {
    const make = makerOf(exported);
    const machine = make();
    for (const method of METHODS) checkMethod(machine, method);
    for (const method of TIMERS) {
      if (machine.dueAt !== undefined || machine.tick !== undefined) checkMethod(machine, method);
    }
    // Now, rather than when the first one is due.
    snapshotOf(machine);
    return new Adapter(machine, make);
  } catch (error) {
    throw failure("MACHINE_INVALID", name, `is no machine: ${messageOf(error)}`);
  }
}

/** How often each module was loaded in this thread. */
const loads = new Map<string, number>();

/** The same file by another name: a module is loaded once for each fragment of its URL. */
function copyOf(url: string, number: number): string {
  return `${url}${url.includes("#") ? "-" : "#"}${number}`;
}

async function load(url: string): Promise<{ readonly default?: unknown }> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it takes more than ${LOAD_MS} ms`)), LOAD_MS);
  });
  try {
    // Only the worker knows where it is: a bundler must leave these words alone.
    const loading = import(/* webpackIgnore: true */ /* @vite-ignore */ url);
    return await Promise.race([loading, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A class, a function that makes one, or, where one is enough, the machine itself. */
export function makerOf(exported: unknown): () => Machine {
  if (typeof exported === "function") {
    const maker = exported as (() => Machine) & { readonly prototype?: Partial<Machine> };
    const isClass =
      typeof maker.prototype?.apply === "function" || /^class\b/.test(String(exported));
    return isClass
      ? () => Reflect.construct(exported, []) as Machine
      : () => {
          const machine: unknown = maker();
          if (isObject(machine)) return machine as Machine;
          throw new Error(`its default export makes ${show(machine)}`);
        };
  }
  if (isObject(exported)) return () => exported as Machine;
  throw new Error(
    exported === undefined ? "it has no default export" : `its default export is ${show(exported)}`,
  );
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function checkMethod(machine: Machine, method: (typeof METHODS | typeof TIMERS)[number]): void {
  const found: unknown = machine[method];
  if (typeof found !== "function") throw new Error(`it has no method ${method}()`);
  if (Object.prototype.toString.call(found) === "[object AsyncFunction]") {
    throw new Error(`its ${method}() is async; it must do its work at once`);
  }
}

function failure(code: ErrorCode, url: string, what: string): QuorateError {
  const name = url.length > 200 ? `${url.slice(0, 200)}…` : url;
  return quorateError(code, `the machine ${name} ${what}`);
}

const METHODS = ["apply", "query", "snapshot", "restore"] as const;
const TIMERS = ["dueAt", "tick"] as const;
/** A module loads within this time. */
const LOAD_MS = 15_000;
