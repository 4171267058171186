/** `quorate/mapreduce` on Node. */

import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { scanSegment } from "../../wasm/quorate_wasm.js";
import { attach } from "../mapreduce/link.js";
import { mapReduceFactory } from "../mapreduce/open.js";
import type { MapReduceSettings } from "../mapreduce/options.js";
import {
  checkDirectory,
  partName,
  publishToDirectory,
  readPath,
} from "../mapreduce/outputs-node.js";
import { directoryScratch } from "../mapreduce/scratch-node.js";
import { filesOf, keepStream, readOnNode } from "../mapreduce/source-node.js";
import type {
  MapReduceClusterFactory,
  MapReduceCluster as MapReduceClusterInstance,
} from "../mapreduce/types.js";
import { core } from "./core.js";
import { compile } from "./module.js";
import { nodePlatform, readBytes } from "./platform-node.js";

export * from "../mapreduce/surface.js";

const platform = /* @__PURE__ */ nodePlatform({
  core,
  scanSegment,
  wasm: new URL("./quorate.wasm", import.meta.url),
  worker: new URL("./mapreduce-worker-node.js", import.meta.url),
});

/** In the cluster's directory; where it has none, among the temporary files. */
function scratchPath({ cluster, scratch }: MapReduceSettings): string {
  const { name, storage } = cluster;
  if (scratch !== undefined) return scratch;
  return storage.kind === "directory"
    ? join(storage.path, "scratch")
    : join(tmpdir(), `quorate-${process.pid}`, name);
}

export type MapReduceCluster = MapReduceClusterInstance;
export const MapReduceCluster: MapReduceClusterFactory = /* @__PURE__ */ mapReduceFactory(
  /* @__PURE__ */ Object.assign(platform, {
    processors: availableParallelism(),
    engine: () => compile(new URL("./quorate-mapreduce.wasm", import.meta.url), readBytes),
    spawnTasks: async (id: number, events: Parameters<typeof attach>[2]) => {
      const script = new URL("./mapreduce-tasks-node.js", import.meta.url);
      const worker = new Worker(script, { execArgv: [] });
      return attach(id, worker, events, ({ message, failed }) => {
        worker.on("message", message);
        worker.on("error", (error) => failed(`failed: ${String(error)}`));
        worker.on("exit", (code) => failed(`ended with exit code ${code}`));
      });
    },
    scratchPlace: (settings: MapReduceSettings) =>
      ({ kind: "directory", path: scratchPath(settings) }) as const,
    openScratch: async (place: { kind: string; path?: string }) =>
      directoryScratch(place.path ?? ""),
    readSource: readOnNode,
    sources: (settings: MapReduceSettings) => ({
      files: filesOf,
      keep: (stream: ReadableStream<Uint8Array>, name: string, place: string) =>
        keepStream(stream, join(scratchPath(settings), place), name),
    }),
    checkTarget: checkDirectory,
    publish: (
      path: string,
      name: string,
      job: number,
      winners: Parameters<typeof publishToDirectory>[3],
      settings: MapReduceSettings,
      signal: AbortSignal,
    ) => publishToDirectory(path, name, job, winners, scratchPath(settings), signal),
    readPublished: (path: string, partition: number) => readPath(join(path, partName(partition))),
  }),
);
