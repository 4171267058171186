/** `quorate/mapreduce` in browsers: files beside this one by their URLs. */

import { attachTasks } from "../mapreduce/link.js";
import { mapReduceFactory } from "../mapreduce/open.js";
import { browserScratch } from "../mapreduce/scratch-browser.js";
import { gone, readCommon } from "../mapreduce/source.js";
import type {
  MapReduceClusterFactory,
  MapReduceCluster as MapReduceClusterInstance,
} from "../mapreduce/types.js";
import { browserPlatform } from "./browser.js";
import { core } from "./core.js";
import { compile, fetchBytes } from "./module.js";

export * from "../mapreduce/surface.js";

const platform = /* @__PURE__ */ browserPlatform(core, {
  module: () => compile(new URL("./quorate.wasm", import.meta.url), fetchBytes),
  worker: () => new Worker(new URL("./mapreduce-worker.js", import.meta.url), { type: "module" }),
});

export type MapReduceCluster = MapReduceClusterInstance;
export const MapReduceCluster: MapReduceClusterFactory = /* @__PURE__ */ mapReduceFactory({
  ...platform,
  get processors() {
    return navigator.hardwareConcurrency || 2;
  },
  engine: () => compile(new URL("./quorate-mapreduce.wasm", import.meta.url), fetchBytes),
  spawnTasks: (id, events) =>
    attachTasks(
      id,
      new Worker(new URL("./mapreduce-tasks.js", import.meta.url), { type: "module" }),
      events,
    ),
  scratchPlace: ({ cluster }) => ({ kind: "browser", name: cluster.name }),
  openScratch: (place) => browserScratch(place.kind === "browser" ? place.name : ""),
  readSource: readCommon,
  sources: () => ({
    keep: async (stream, name) => {
      const blob = await new Response(stream).blob().catch((error: unknown) => {
        throw gone(name, error);
      });
      return { kind: "blob", name, size: blob.size, blob };
    },
  }),
});
