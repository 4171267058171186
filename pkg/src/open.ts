/** `Cluster.open`, on any platform. */

import { abortedOpen } from "./bounded.js";
import { LiveCluster } from "./cluster.js";
import { disposable } from "./disposable.js";
import { type AnyOptions, readOptions, type Settings } from "./options.js";
import type { Platform } from "./platform.js";
import type { ClusterFactory } from "./types.js";

/** `Cluster` on a platform. */
export function clusterFactory(platform: Platform): ClusterFactory {
  disposable(LiveCluster.prototype);
  // What is opened can do both; which of the two it is allowed is known by the option `machine`.
  return {
    open: async (options: AnyOptions) => openCluster(platform, options),
  } as ClusterFactory;
}

function openCluster(platform: Platform, options: AnyOptions): Promise<LiveCluster> {
  const settings = readOptions(options, platform);
  return open(
    platform,
    settings,
    (module, unlock) => new LiveCluster(platform, settings, module, unlock),
  );
}

/** Something to open. */
interface Opening {
  begin(): Promise<void>;
  close(): Promise<void>;
}

/** Loads the core, takes the place, makes it and has it begin; closes what was opened so far if that fails. */
export async function open<T extends Opening>(
  platform: Platform,
  { signal, storage, wasm }: Settings,
  make: (module: WebAssembly.Module, unlock: (() => Promise<void>) | undefined) => T,
): Promise<T> {
  const aborted = () => signal?.aborted === true;
  if (aborted()) throw abortedOpen(signal);
  const module = await platform.loadModule(wasm);
  platform.core.init(module);
  const unlock =
    storage.kind === "directory" ? await platform.lockDirectory?.(storage.path) : undefined;
  const opening = make(module, unlock);
  const abort = () => void opening.close();
  signal?.addEventListener("abort", abort);
  try {
    if (aborted()) throw abortedOpen(signal);
    await opening.begin();
    if (aborted()) throw abortedOpen(signal);
    return opening;
  } catch (error) {
    await opening.close();
    throw aborted() ? abortedOpen(signal) : error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
