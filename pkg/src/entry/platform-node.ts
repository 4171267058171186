/** What Node is to the package: worker threads, with state in a directory. */

import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import type { Core } from "../core.js";
import type { Platform } from "../platform.js";
import { attach } from "../spawn.js";
import { lockPlace } from "../storage/lock.js";
import { directoryMark } from "../storage/mark.js";
import { whose } from "../storage/whose.js";
import { compile, fetchBytes, loadError } from "./module.js";

/** What of the package's files is used. */
export interface Files<C extends Core> {
  readonly core: C;
  readonly wasm: URL;
  readonly worker: URL;
  readonly scanSegment: Parameters<typeof whose>[0];
}

export const nodePlatform = <C extends Core>({
  core,
  wasm,
  worker,
  scanSegment,
}: Files<C>): Platform & { readonly core: C } => ({
  core,
  storage: "directory",
  loadModule: (source = wasm) => compile(source, readBytes),
  spawn: async (node, create, events) =>
    attach(
      node,
      // Not the flags of the process: some (`--input-type`) end a worker, others preload what it does not need.
      create === undefined ? new Worker(worker, { execArgv: [] }) : create(node),
      events,
    ),
  lockDirectory: lockPlace,
  // What the process prints is its user's.
  print: (line) => console.error(line),
  get debug() {
    return process.env.QUORATE_DEBUG;
  },
  mark: directoryMark,
  hasOthers: async ({ size, storage }) =>
    storage.kind === "directory" &&
    whose(scanSegment, storage.path, size + 1).then(
      () => true,
      // There is none, or none that could be read.
      () => false,
    ),
});

export async function readBytes(url: URL): Promise<BufferSource> {
  if (url.protocol !== "file:") return fetchBytes(url);
  try {
    return await readFile(url);
  } catch (error) {
    throw loadError(`${url.href} cannot be read: ${String(error)}`, error);
  }
}
