/** What `Cluster.open` was given, checked and completed. */

import { integer, invalid, record, show, signalOf } from "./check.js";
import { ArgumentError } from "./errors.js";
import { type DebugHome, Observation } from "./observe/observation.js";
import { memory } from "./storage/memory.js";
import type { StorageFactory } from "./storage/storage.js";
import type { ClusterOptions, MachineOptions } from "./types.js";

/** Where a node's state goes, as far as the owner's thread is concerned. */
export type StorageChoice =
  | { readonly kind: "indexeddb" }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "factory"; readonly make: StorageFactory };

export interface Settings {
  readonly name: string;
  readonly size: number;
  readonly storage: StorageChoice;
  readonly electionMs: number;
  readonly heartbeatMs: number;
  readonly deadlineMs: number;
  readonly leaseReads: boolean;
  readonly relaxed: boolean;
  /** The URL of the machine's module; undefined for the key-value store. */
  readonly machine: string | undefined;
  readonly snapshotEntries: number | undefined;
  /** The nodes are those of a sharded store. */
  readonly sharded?: boolean | undefined;
  readonly observe: Observation;
  readonly signal: AbortSignal | undefined;
  readonly wasm: ClusterOptions["wasm"];
  readonly createWorker: ClusterOptions["createWorker"];
}

/** What either kind of cluster takes. */
export type AnyOptions = ClusterOptions & Partial<Pick<MachineOptions, "machine">>;

/** Checks everything before anything is started. */
export function readOptions(
  options: AnyOptions,
  platform: { readonly storage: "indexeddb" | "directory" } & DebugHome,
): Settings {
  try {
    return check(options, platform);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new ArgumentError("INVALID_OPTION", `Cluster.open: ${error.message}`);
  }
}

function check(
  options: AnyOptions,
  platform: { readonly storage: "indexeddb" | "directory" } & DebugHome,
): Settings {
  const home = platform.storage;
  record(options, "the argument", FIELDS);
  const {
    name,
    nodes = 3,
    storage = home,
    directory,
    durability = "strict",
    timeouts = {},
    reads = "quorum",
    signal,
    wasm,
    createWorker,
    machine,
    snapshotEntries,
    trace,
    debug,
  } = options;
  if (typeof name !== "string" || !NAME.test(name)) {
    throw invalid(
      `"name" is 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit, not ${show(name)}`,
    );
  }
  record(timeouts, '"timeouts"', ["election", "heartbeat"]);
  const electionMs = integer(timeouts.election ?? 300, '"timeouts.election"', 10, 600_000);
  const heartbeatMs = integer(
    timeouts.heartbeat ?? Math.max(1, Math.min(60, Math.floor(electionMs / 5))),
    '"timeouts.heartbeat"',
    1,
    Math.floor(electionMs / 2),
  );
  either(reads, "reads", "quorum", "lease");
  either(durability, "durability", "strict", "relaxed");
  if (durability === "relaxed" && storage !== "indexeddb")
    throw invalid('durability: "relaxed" goes with storage: "indexeddb"');
  if (createWorker !== undefined && typeof createWorker !== "function") {
    throw invalid(`"createWorker" is a function that makes a worker, not ${show(createWorker)}`);
  }
  if (wasm !== undefined && (typeof wasm !== "object" || wasm === null)) {
    throw invalid(
      `"wasm" is a URL, a Response, a buffer or a WebAssembly.Module, not ${show(wasm)}`,
    );
  }
  return {
    name,
    size: integer(nodes, '"nodes"', 1, 7),
    storage: storageChoice(name, storage, directory, home),
    electionMs,
    heartbeatMs,
    leaseReads: reads === "lease",
    relaxed: durability === "relaxed",
    machine: machine === undefined ? undefined : moduleUrl(machine),
    snapshotEntries:
      snapshotEntries === undefined
        ? undefined
        : integer(snapshotEntries, '"snapshotEntries"', 1, 1_000_000_000),
    observe: new Observation(trace, debug, platform),
    deadlineMs: timeoutMs(options.deadline ?? 10_000, '"deadline"'),
    signal: signalOf(signal),
    wasm,
    createWorker,
  };
}

function either(value: unknown, what: string, one: string, other: string): void {
  if (value !== one && value !== other)
    throw invalid(`"${what}" is "${one}" or "${other}", not ${show(value)}`);
}

/** A time limit in milliseconds. */
export function timeoutMs(value: unknown, what: string): number {
  return integer(value, what, 1, MAX_TIMEOUT_MS);
}

function moduleUrl(machine: unknown): string {
  if (machine instanceof URL) return machine.href;
  if (typeof machine === "string" && URL.canParse(machine)) return machine;
  throw invalid(
    `"machine" is the URL of a module, as new URL("./machine.js", import.meta.url), not ${show(machine)}`,
  );
}

function storageChoice(
  name: string,
  storage: ClusterOptions["storage"],
  directory: unknown,
  home: "indexeddb" | "directory",
): StorageChoice {
  if (directory !== undefined) {
    if (storage !== "directory") throw invalid('"directory" goes with storage: "directory"');
    if (typeof directory !== "string" || directory === "" || directory.includes("\0")) {
      throw invalid(`"directory" is a path, not ${show(directory)}`);
    }
  }
  if (typeof storage === "function") return { kind: "factory", make: storage };
  switch (storage) {
    case "memory":
      return { kind: "factory", make: memory() };
    case "indexeddb":
      if (home !== "indexeddb")
        throw invalid('storage "indexeddb" needs a browser; on Node there is "directory"');
      return { kind: "indexeddb" };
    case "directory":
      if (home !== "directory")
        throw invalid('storage "directory" needs Node; in a browser there is "indexeddb"');
      return { kind: "directory", path: directory ?? `.quorate/${name}` };
    default:
      throw invalid(
        `"storage" is "indexeddb", "directory", "memory" or a function, not ${show(storage)}`,
      );
  }
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** About a day; timers overflow at 2^31 ms. */
const MAX_TIMEOUT_MS = 86_400_000;
const FIELDS: readonly string[] = [
  "name",
  "nodes",
  "storage",
  "directory",
  "durability",
  "timeouts",
  "deadline",
  "reads",
  "signal",
  "wasm",
  "createWorker",
  "machine",
  "snapshotEntries",
  "trace",
  "debug",
] satisfies (keyof AnyOptions)[];
