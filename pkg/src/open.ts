/** `Cluster.open`, on any platform. */

import { abortedOpen } from "./bounded.js";
import { LiveCluster } from "./cluster.js";
import { initCore } from "./core.js";
import { disposable } from "./disposable.js";
import { type AnyOptions, readOptions } from "./options.js";
import type { Platform } from "./platform.js";
import type { ClusterFactory } from "./types.js";

/** `Cluster` on a platform. */
export function clusterFactory(platform: Platform): ClusterFactory {
  disposable(LiveCluster.prototype);
  // What is opened can do both; which of the two it is allowed is known by the option `machine`.
  return { open: (options: AnyOptions) => openCluster(platform, options) } as ClusterFactory;
}

async function openCluster(platform: Platform, options: AnyOptions): Promise<LiveCluster> {
  const settings = readOptions(options, platform);
  const aborted = () => settings.signal?.aborted === true;
  if (aborted()) throw abortedOpen(settings.signal);
  const module = await platform.loadModule(settings.wasm);
  initCore(module);
  const choice = settings.storage;
  const unlock =
    choice.kind === "directory" ? await platform.lockDirectory?.(choice.path) : undefined;
  const cluster = new LiveCluster(platform, settings, module, unlock);
  const abort = () => void cluster.close();
  settings.signal?.addEventListener("abort", abort);
  try {
    if (aborted()) throw abortedOpen(settings.signal);
    await cluster.begin();
    if (aborted()) throw abortedOpen(settings.signal);
    return cluster;
  } catch (error) {
    await cluster.close();
    throw aborted() ? abortedOpen(settings.signal) : error;
  } finally {
    settings.signal?.removeEventListener("abort", abort);
  }
}
