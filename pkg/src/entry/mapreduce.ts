/** `quorate/mapreduce` in browsers: files beside this one by their URLs. */

import { attachTasks } from "../mapreduce/link.js";
import { mapReduceFactory } from "../mapreduce/open.js";
import { browserScratch } from "../mapreduce/scratch-browser.js";
import { readCommon } from "../mapreduce/source.js";
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

const jobs = /* @__PURE__ */ Object.assign(platform, {
  get processors() {
    return navigator.hardwareConcurrency || 2;
  },
  spawnTasks: (id: number, events: Parameters<typeof attachTasks>[2]) =>
    attachTasks(
      id,
      new Worker(new URL("./mapreduce-tasks.js", import.meta.url), { type: "module" }),
      events,
    ),
});

export type MapReduceCluster = MapReduceClusterInstance;
export const MapReduceCluster: MapReduceClusterFactory = /* @__PURE__ */ mapReduceFactory({
  ...jobs,
  scratchPlace: ({ cluster }) => ({ kind: "browser", name: cluster.name }),
  openScratch: (place) => browserScratch(place.kind === "browser" ? place.name : ""),
  readSource: readCommon,
  sources: () => ({
    keep: async (stream, name) => {
      const blob = await new Response(stream).blob();
      return { kind: "blob", name, size: blob.size, blob };
    },
  }),
});
