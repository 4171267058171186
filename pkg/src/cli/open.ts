/** The cluster of a directory: found, opened, or founded. */

import { scanSegment } from "../../wasm/quorate_wasm.js";
import { core } from "../entry/core.js";
import { platform } from "../entry/platform.js";
import { QuorateError } from "../errors.js";
import { clusterFactory } from "../open.js";
import { assertUnlocked } from "../storage/lock.js";
import { whose } from "../storage/whose.js";
import type { Cluster, ClusterOptions } from "../types.js";
import type { Given } from "./command.js";
import { UsageError } from "./exit.js";
import { numberOf, timeOf } from "./values.js";

let module: WebAssembly.Module | undefined;

/** Loads the core into this thread. */
export async function loadCore(): Promise<WebAssembly.Module> {
  module ??= await platform.loadModule(undefined);
  core.init(module);
  return module;
}

/** Which directory is meant: the one that `Cluster.open` would take for a name, unless somebody says otherwise. */
export function directoryOf(options: Given): string {
  const home = `.quorate/${options.text("name") ?? "cluster"}`;
  return options.text("dir") ?? (process.env.QUORATE_DIR || home);
}

/** Opens the cluster that is there; `NO_CLUSTER` if there is none. */
export function openThere(options: Given, signal: AbortSignal): Promise<Cluster> {
  return patiently(options, signal, async (directory) => {
    // Before anything is read: it would change meanwhile.
    await assertUnlocked(directory);
    const wasm = await loadCore();
    const { name, nodes } = await whose(scanSegment, directory);
    return clusterFactory(platform).open({
      ...{ name, nodes, directory, wasm, signal, timeouts: TIMEOUTS },
      ...deadlineOf(options),
    });
  });
}

/** What becomes of a directory without a cluster, or with one. */
export interface Founding {
  /** Its name, if nobody says otherwise. */
  readonly name?: string;
  /** What is to be said where there is a cluster. */
  readonly refuse?: (name: string) => Error;
  /** `NO_CLUSTER` if there is none. */
  readonly never?: boolean;
}

/** Opens the cluster that is there, or founds one. */
export function openOrFound(
  options: Given,
  signal: AbortSignal,
  founding: Founding = {},
): Promise<Cluster> {
  return openOrFoundWith(clusterFactory(platform).open, options, signal, founding);
}

/** The same with clusters of another kind. */
export function openOrFoundWith<C>(
  open: (options: ClusterOptions) => Promise<C>,
  options: Given,
  signal: AbortSignal,
  founding: Founding,
): Promise<C> {
  return patiently(options, signal, async (directory) => {
    await assertUnlocked(directory);
    const wasm = await loadCore();
    const there = await whose(scanSegment, directory).catch((error: unknown) => {
      const isNone = error instanceof QuorateError && error.code === "NO_CLUSTER";
      if (isNone && founding.never !== true) return undefined;
      throw error;
    });
    if (there !== undefined && founding.refuse !== undefined) throw founding.refuse(there.name);
    return open({
      name: options.text("name") ?? there?.name ?? founding.name ?? "cluster",
      nodes: options.read("nodes", numberOf) ?? there?.nodes ?? 3,
      ...{ directory, wasm, signal },
      ...deadlineOf(options),
    });
  });
}

/** A cluster that leaves nothing behind. */
export async function openInMemory(options: Given, signal: AbortSignal): Promise<Cluster> {
  if (options.text("dir") !== undefined)
    throw new UsageError("--memory and --dir exclude each other");
  return clusterFactory(platform).open({
    name: options.text("name") ?? "cluster",
    nodes: options.read("nodes", numberOf) ?? 3,
    ...{ storage: "memory", wasm: await loadCore(), signal },
    ...deadlineOf(options),
  });
}

/** Tries again as long as `--wait` says, where another process has the directory. */
async function patiently<T>(
  options: Given,
  signal: AbortSignal,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  const until = performance.now() + (options.read("wait", timeOf) ?? 0);
  for (;;) {
    try {
      return await work(directoryOf(options));
    } catch (error) {
      const isLocked = error instanceof QuorateError && error.code === "STORAGE_LOCKED";
      if (!isLocked || signal.aborted || performance.now() >= until) throw error;
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    }
  }
}

/** How long calls of the cluster may take, if somebody says so. */
export function deadlineOf(options: Given): { deadline?: number } {
  const deadline = options.read("timeout", timeOf);
  return deadline === undefined ? {} : { deadline };
}

/** For one command: the nodes are threads of one process, and nobody wants to wait for an election. */
const TIMEOUTS = { election: 150, heartbeat: 30 };
const WAIT_MS = 50;
